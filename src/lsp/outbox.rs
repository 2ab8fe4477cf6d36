//! The one ordered queue to the client. It knows JSON-RPC's form and how to join output, and nothing of what is said.
//!
//! # Theory of operation
//!
//! Everything that leaves the server is put here, in the order it happened: answers, requests to the client, events,
//! progress, diagnostics. One task writes. While the client is slow, output of a run joins the run's output that still
//! waits, so `seq` is given when a message is written and never has a gap. Events of runs take room and wait for it, which
//! holds back the run's reader and nobody else; answers and the few other messages never wait, so no handler does.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::protocol::{Event, Output};

/// Bytes of events that may wait.
const ROOM: u32 = 256 * 1024;

/// The most that joined output has in bytes.
const JOINED_LIMIT: usize = 64 * 1024;

/// What an event takes beside its text.
const EVENT_COST: u32 = 256;

/// How far back output looks for what it may join.
const JOIN_REACH: usize = 64;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Notify,
    room: Semaphore,
    /// The client takes nothing any more.
    gone: CancellationToken,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Nothing comes any more.
    closed: bool,
}

struct Item {
    body: Body,
    cost: u32,
}

enum Body {
    Event(Event),
    Message(String),
    /// A message that the next one of its kind takes the place of.
    Latest(String),
}

/// A message to the client.
#[derive(Serialize)]
struct Notification<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: P,
}

impl Outbox {
    /// A queue, and what writes it.
    pub(crate) fn new() -> (Self, Writer) {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Notify::new(),
            room: Semaphore::new(ROOM as usize),
            gone: CancellationToken::new(),
        });
        (Self { shared: Arc::clone(&shared) }, Writer { shared, sequences: HashMap::new() })
    }

    /// Says a run's event once there is room for it.
    pub(crate) async fn event(&self, event: Event) {
        let length = if let Event::Output(output) = &event { output.text.len() } else { 0 };
        let cost = u32::try_from(length).unwrap_or(ROOM).saturating_add(EVENT_COST).min(ROOM);
        // The permits come back when the message is written.
        match self.shared.room.acquire_many(cost).await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        let mut queue = self.lock();
        let mut event = Some(event);
        if let Some(Event::Output(output)) = &mut event
            && let Some(item) = queue.join(output)
        {
            item.cost += cost;
            return;
        }
        if let Some(event) = event {
            queue.push(Body::Event(event), cost);
        }
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Says a notification.
    pub(crate) fn notify(&self, method: &str, params: impl Serialize) {
        self.message(&Notification { jsonrpc: "2.0", method, params });
    }

    /// Says a notification of which only the latest counts. One that still waits gives way to it.
    pub(crate) fn latest(&self, method: &str, params: impl Serialize) {
        let message = serde_json::to_string(&Notification { jsonrpc: "2.0", method, params });
        let Ok(message) = message else { return };
        let mut queue = self.lock();
        queue.items.retain(|item| !matches!(item.body, Body::Latest(_)));
        queue.push(Body::Latest(message), 0);
        drop(queue);
        self.shared.filled.notify_one();
    }

    /// Says a whole message: an answer, or a request to the client.
    pub(crate) fn message(&self, message: &impl Serialize) {
        match serde_json::to_string(message) {
            Ok(message) => {
                self.lock().push(Body::Message(message), 0);
                self.shared.filled.notify_one();
            }
            Err(error) => tracing::error!(%error, "a message could not be written as JSON"),
        }
    }

    /// No more messages: the writer ends when what waits is written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.shared.filled.notify_one();
    }

    /// Treats the client as gone.
    pub(crate) fn abandon(&self) {
        self.shared.gone.cancel();
    }

    /// Returns when the client takes nothing any more.
    pub(crate) async fn client_gone(&self) {
        self.shared.gone.cancelled().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, body: Body, cost: u32) {
        if !self.closed {
            self.items.push_back(Item { body, cost });
        }
    }

    /// Puts output to the end of what the same run said last, when that is output of the same stream and still waits.
    fn join(&mut self, output: &Output) -> Option<&mut Item> {
        let of_run = |item: &&mut Item| matches!(&item.body, Body::Event(event) if event.run_id() == output.run_id);
        let item = self.items.iter_mut().rev().take(JOIN_REACH).find(of_run)?;
        match &mut item.body {
            Body::Event(Event::Output(last))
                if last.stream == output.stream && last.text.len() + output.text.len() <= JOINED_LIMIT =>
            {
                last.text.push_str(&output.text);
                Some(item)
            }
            _ => None,
        }
    }
}

/// The way out.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    sequences: HashMap<String, u64>,
}

impl Writer {
    /// Writes what comes until the queue is closed and empty, or the client is gone.
    pub(crate) async fn run(mut self, stdout: impl AsyncWrite + Unpin) {
        if let Err(error) = self.write(stdout).await {
            tracing::info!(%error, "the client reads no more");
        }
        self.shared.lock().closed = true;
        self.shared.room.close();
        self.shared.gone.cancel();
    }

    async fn write(&mut self, mut stdout: impl AsyncWrite + Unpin) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        loop {
            let (item, closed) = {
                let mut queue = shared.lock();
                (queue.items.pop_front(), queue.closed)
            };
            let Some(item) = item else {
                stdout.flush().await?;
                if closed {
                    return Ok(());
                }
                shared.filled.notified().await;
                continue;
            };
            let text = match item.body {
                Body::Message(message) | Body::Latest(message) => message,
                Body::Event(event) => self.number(event)?,
            };
            // One write for header and body: a client that reads in pieces sees whole messages.
            let frame = format!("Content-Length: {}\r\n\r\n{text}", text.len());
            drop(text);
            stdout.write_all(frame.as_bytes()).await?;
            shared.room.add_permits(item.cost as usize);
        }
    }

    /// An event as a message; output gets its number.
    fn number(&mut self, mut event: Event) -> serde_json::Result<String> {
        match &mut event {
            Event::Output(output) => {
                let next = self.sequences.entry(output.run_id.clone()).or_default();
                output.seq = *next;
                *next += 1;
            }
            Event::Finished(finished) => {
                self.sequences.remove(&finished.run_id);
            }
            Event::Started(_) | Event::Phase(_) => {}
        }
        serde_json::to_string(&Notification { jsonrpc: "2.0", method: event.method(), params: &event })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::protocol::Stream;

    fn output(run_id: &str, stream: Stream, text: &str) -> Event {
        Event::Output(Output {
            run_id: run_id.to_owned(),
            seq: 99,
            stream,
            text: text.to_owned(),
            raw: bytes::Bytes::new(),
        })
    }

    async fn written(outbox: Outbox, writer: Writer) -> Vec<(String, u64, String)> {
        outbox.close();
        let (near, mut far) = tokio::io::duplex(1 << 20);
        writer.run(near).await;
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        let bodies = text.split("Content-Length: ").filter_map(|message| message.split_once("\r\n\r\n"));
        let message = |body: &str| {
            let params = &serde_json::from_str::<serde_json::Value>(body).unwrap()["params"];
            let word = |key: &str| params[key].as_str().unwrap_or_default().to_owned();
            (word("runId"), params["seq"].as_u64().unwrap(), word("text"))
        };
        bodies.map(|(_, body)| message(body)).collect()
    }

    #[tokio::test]
    async fn output_that_waits_is_joined_and_numbered_without_gaps() {
        let (outbox, writer) = Outbox::new();
        for (run, stream, text) in [
            ("a", Stream::Stdout, "1"),
            ("b", Stream::Stdout, "x"),
            ("a", Stream::Stdout, "2"),
            ("a", Stream::Stderr, "!"),
            ("a", Stream::Stdout, "3"),
            ("b", Stream::Stdout, "y"),
        ] {
            outbox.event(output(run, stream, text)).await;
        }
        let said: Vec<_> = written(outbox, writer).await;
        let said: Vec<_> = said.iter().map(|(run, seq, text)| (run.as_str(), *seq, text.as_str())).collect();
        assert_eq!(said, [("a", 0, "12"), ("b", 0, "xy"), ("a", 1, "!"), ("a", 2, "3")]);
    }

    #[tokio::test]
    async fn a_flood_waits_for_room_and_an_answer_does_not() {
        let (outbox, writer) = Outbox::new();
        let flood = "x".repeat(32 * 1024);
        for _ in 0..7 {
            outbox.event(output("a", Stream::Stdout, &flood)).await;
        }
        let eighth = outbox.event(output("a", Stream::Stdout, &flood));
        assert!(futures_util::FutureExt::now_or_never(eighth).is_none());
        outbox.message(&serde_json::json!({"params": {"seq": 7}}));
        assert_eq!(written(outbox, writer).await.len(), 5);
    }

    #[tokio::test]
    async fn of_what_only_the_latest_counts_no_more_waits() {
        let (outbox, writer) = Outbox::new();
        for seq in 0..1000 {
            outbox.latest("runpen/status", serde_json::json!({"seq": seq}));
        }
        outbox.message(&serde_json::json!({"params": {"seq": 7}}));
        let said: Vec<u64> = written(outbox, writer).await.iter().map(|(_, seq, _)| *seq).collect();
        assert_eq!(said, [999, 7]);
    }

    #[tokio::test]
    async fn a_client_that_is_gone_holds_nobody_back() {
        let (outbox, writer) = Outbox::new();
        let (near, far) = tokio::io::duplex(16);
        drop(far);
        let flood = output("a", Stream::Stdout, &"x".repeat(200 * 1024));
        outbox.event(flood.clone()).await;
        writer.run(near).await;
        outbox.client_gone().await;
        outbox.event(flood.clone()).await;
        outbox.event(flood).await;
    }
}
