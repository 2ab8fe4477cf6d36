//! One stage: one command in one container, from the first byte sent to the trailer, a broken limit or a cancellation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::guest::{Scanner, Trailer};
use super::output::{Cap, Decoder, Tail};
use super::task::Voice;
use crate::engine::{Chunk, Container, EngineError, Exit};
use crate::plan::Stage;
use crate::protocol::{Event, Output, PhaseName, Stream};

/// How long the rest of the output may take once the container has ended, or once one stream has its trailer.
const DRAIN: Duration = Duration::from_secs(1);

/// Bytes of standard error that are kept for the report.
const REPORT_LIMIT: usize = 256 * 1024;

/// Why a stage is over.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// The waiting side told its end.
    Told(Trailer),
    /// The container ended without a word.
    Vanished(Result<Exit, EngineError>),
    /// Its deadline passed.
    TimedOut,
    /// It printed more than it may on this stream.
    OutputLimit(Stream),
    /// What it built is larger than what may hold it.
    ArtifactLimit,
    /// Somebody stopped it.
    Cancelled,
}

/// What a stage leaves.
pub(super) struct StageEnd {
    /// Why it is over.
    pub(super) stop: Stop,
    /// Events that the client has not taken yet.
    pub(super) unsaid: VecDeque<Event>,
    /// What it built: a tar.
    pub(super) artifacts: Vec<Bytes>,
    /// The end of its standard error.
    pub(super) stderr: Tail,
    /// Whether output was dropped.
    pub(super) truncated: bool,
}

/// Numbers the output of a run, and measures it.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: u64,
    /// When the first came.
    pub(super) first: Option<Instant>,
    /// Bytes on standard output and standard error.
    pub(super) printed: [u64; 2],
}

impl Sequence {
    pub(super) fn event(&mut self, run_id: &str, stream: Stream, text: String, raw: Bytes) -> Event {
        let seq = self.next;
        self.next += 1;
        self.first.get_or_insert_with(Instant::now);
        self.printed[usize::from(stream == Stream::Stderr)] += text.len().max(raw.len()) as u64;
        Event::Output(Output { run_id: run_id.to_owned(), seq, stream, text, raw })
    }
}

/// Everything one stage works with.
pub(super) struct Job<'a> {
    pub(super) voice: &'a Voice,
    pub(super) stage: &'a Stage,
    pub(super) nonce: &'a str,
    pub(super) sequence: &'a mut Sequence,
    /// Keep standard error back: it is written for machines, and is shown rendered at the end.
    pub(super) quiet: bool,
    /// Give output as bytes.
    pub(super) raw: bool,
}

/// One stream on its way in.
struct Inlet {
    scanner: Scanner,
    decoder: Decoder,
    cap: Cap,
    trailer: Option<Trailer>,
}

/// The state of a stage's two streams.
struct Intake<'a> {
    job: Job<'a>,
    stdout: Inlet,
    stderr: Inlet,
    end: StageEnd,
    artifact_bytes: u64,
}

impl Intake<'_> {
    /// Takes one chunk; says so when it ends the stage.
    fn take(&mut self, chunk: Chunk) -> Option<Stop> {
        let artifact = chunk.stream == Stream::Stdout && self.job.stage.phase == PhaseName::Compile;
        let inlet = self.inlet(chunk.stream);
        let (bytes, trailer) = inlet.scanner.push(chunk.bytes);
        let found = trailer.is_some();
        inlet.trailer = inlet.trailer.take().or(trailer);
        if artifact {
            self.artifact_bytes += bytes.len() as u64;
            if !bytes.is_empty() {
                self.end.artifacts.push(bytes);
            }
            if self.artifact_bytes > self.job.stage.sandbox.code.size {
                return Some(Stop::ArtifactLimit);
            }
        } else {
            let taken = self.inlet(chunk.stream).cap.take(bytes.len());
            let full = taken < bytes.len();
            self.print(chunk.stream, bytes.slice(..taken), found || full);
            if full {
                self.end.truncated = true;
                return Some(Stop::OutputLimit(chunk.stream));
            }
        }
        self.told(true)
    }

    /// Passes on what the program printed; `last` says that the stream has no more of it.
    fn print(&mut self, stream: Stream, bytes: Bytes, last: bool) {
        let reported = stream == Stream::Stderr;
        let mut text = String::new();
        if reported || !self.job.raw {
            let inlet = self.inlet(stream);
            text = inlet.decoder.push(&bytes);
            if last {
                text.push_str(&inlet.decoder.finish());
            }
        }
        if reported {
            self.end.stderr.push(&text);
            if self.job.quiet {
                return;
            }
        }
        let (text, raw) = if self.job.raw { (String::new(), bytes) } else { (text, Bytes::new()) };
        if !text.is_empty() || !raw.is_empty() {
            self.end.unsaid.push_back(self.job.sequence.event(&self.job.voice.run_id, stream, text, raw));
        }
    }

    fn inlet(&mut self, stream: Stream) -> &mut Inlet {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The trailer: of both streams, or of one where that must do.
    fn told(&self, both: bool) -> Option<Stop> {
        match (&self.stdout.trailer, &self.stderr.trailer) {
            (Some(trailer), Some(_)) => Some(Stop::Told(trailer.clone())),
            (Some(trailer), None) | (None, Some(trailer)) if !both => Some(Stop::Told(trailer.clone())),
            _ => None,
        }
    }

    fn half_told(&self) -> bool {
        self.told(false).is_some()
    }

    /// Passes on what was held back while it might have been a trailer or half a character.
    fn finish(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if stream == Stream::Stdout && self.job.stage.phase == PhaseName::Compile {
                continue;
            }
            let inlet = self.inlet(stream);
            let held = inlet.scanner.finish();
            let taken = inlet.cap.take(held.len());
            self.print(stream, held.slice(..taken), true);
        }
    }
}

/// Runs a stage to its end. The container is left to the caller, who must remove it whatever the end is.
pub(super) async fn run(
    job: Job<'_>,
    container: Container,
    opening: Vec<Bytes>,
    input: Option<mpsc::Receiver<Bytes>>,
) -> StageEnd {
    let Container { stdin, mut output, handle } = container;
    let deadline = Instant::now() + job.stage.timeout;
    let _feeder = AbortOnDropHandle::new(tokio::spawn(feed(stdin, opening, input)));
    let mut waiter = AbortOnDropHandle::new(tokio::spawn({
        let handle = Arc::clone(&handle);
        async move { handle.wait().await }
    }));
    let inlet = |cap| Inlet {
        scanner: Scanner::new(job.nonce),
        decoder: Decoder::default(),
        cap: Cap::new(cap),
        trailer: None,
    };
    let voice = job.voice;
    let mut intake = Intake {
        stdout: inlet(job.stage.output_limit),
        stderr: inlet(job.stage.output_limit),
        end: StageEnd {
            stop: Stop::Cancelled,
            unsaid: VecDeque::new(),
            artifacts: Vec::new(),
            stderr: Tail::new(REPORT_LIMIT),
            truncated: false,
        },
        artifact_bytes: 0,
        job,
    };
    let mut exit = None;
    let mut drained = None;
    let mut stalled = Instant::now();
    let stop = loop {
        let waiting = intake.end.unsaid.is_empty();
        tokio::select! {
            biased;
            () = voice.cancel.cancelled() => break Stop::Cancelled,
            // While the client is slow, what the container has printed before its end waits here for as long as it takes.
            () = sleep_until(drained.unwrap_or(deadline)), if waiting || drained.is_none() => {
                if drained.is_none() {
                    break Stop::TimedOut;
                }
                break ended(&intake, exit);
            }
            permit = voice.events.reserve(), if !waiting => match (permit, intake.end.unsaid.pop_front()) {
                (Ok(permit), Some(event)) => {
                    permit.send(event);
                    drained = drained.map(|end| end + stalled.elapsed());
                    stalled = Instant::now();
                }
                _ => voice.cancel.cancel(),
            },
            chunk = output.recv(), if waiting => match chunk {
                Some(chunk) => {
                    stalled = Instant::now();
                    if let Some(stop) = intake.take(chunk) {
                        break stop;
                    }
                    if intake.half_told() && drained.is_none() {
                        drained = Some(Instant::now() + DRAIN);
                    }
                }
                // Both streams are closed. Without a trailer only the engine can tell why.
                None if intake.half_told() || exit.is_some() => break ended(&intake, exit),
                None => {
                    let left = tokio::time::timeout(Duration::from_secs(5), &mut waiter).await;
                    let told = left.ok().and_then(Result::ok);
                    break ended(&intake, told);
                }
            },
            told = &mut waiter, if exit.is_none() => {
                let told = told.unwrap_or_else(|_| Ok(Exit::default()));
                // From an engine that is lost nothing more will come than what is here already.
                let rest = if told.is_ok() { DRAIN } else { DRAIN / 10 };
                exit = Some(told);
                drained = drained.or(Some(Instant::now() + rest));
            }
        }
    };
    intake.finish();
    intake.end.stop = stop;
    intake.end
}

/// The end of a stage whose container is gone.
fn ended(intake: &Intake<'_>, exit: Option<Result<Exit, EngineError>>) -> Stop {
    intake.told(false).unwrap_or_else(|| {
        Stop::Vanished(exit.unwrap_or_else(|| {
            Err(EngineError::Failed {
                operation: "learn how the container ended".to_owned(),
                reason: "its streams were closed and the engine does not answer".to_owned(),
            })
        }))
    })
}

/// Writes the opening and then the program's own input. A program that stops reading is its own affair: nobody waits for
/// this task.
async fn feed(
    mut stdin: Box<dyn AsyncWrite + Send + Unpin>,
    opening: Vec<Bytes>,
    input: Option<mpsc::Receiver<Bytes>>,
) -> std::io::Result<()> {
    for piece in opening {
        stdin.write_all(&piece).await?;
    }
    stdin.flush().await?;
    if let Some(mut input) = input {
        while let Some(piece) = input.recv().await {
            stdin.write_all(&piece).await?;
            stdin.flush().await?;
        }
    }
    stdin.shutdown().await
}
