//! One task a run: takes its events in order, says them, and brings what they mean to documents and progress.
//!
//! What a client sees at a run's end comes in this order: diagnostics, the end of the progress, `runpen/finished`. So
//! whoever has seen `finished` has seen everything.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower_lsp::ls_types::{MessageType, ProgressToken};

use super::blocks::BlockRun;
use super::capture::Capture;
use super::documents::{Key, Source};
use super::present;
use super::progress::Progress;
use super::results::{End, Entry};
use super::session::Shared;
use super::standing;
use crate::protocol::{Event, Finished, Outcome, Output, PhaseName, PhaseState, Stream};
use crate::run::{RunHandle, RunRequest};

/// A run to start.
pub(crate) struct Start {
    pub(crate) source: Source,
    pub(crate) request: RunRequest,
    /// Somebody waits for the end and wants all output with it.
    pub(crate) wait: bool,
    /// Token of the progress, when the client gave one.
    pub(crate) token: Option<ProgressToken>,
    /// Cancelled when the request that started the run has been answered.
    pub(crate) answered: CancellationToken,
    /// One of many that were started together: it has no progress of its own.
    pub(crate) quiet: bool,
    /// The code block that runs, when it is one.
    pub(crate) block: Option<BlockRun>,
}

/// A run that was started.
pub(crate) struct Started {
    pub(crate) run_id: String,
    /// The end; comes after `runpen/finished`.
    pub(crate) finished: oneshot::Receiver<Finished>,
}

/// Starts a run and the task that follows it.
pub(crate) fn start(session: &Shared, start: Start) -> Started {
    let Start { source, request, wait, token, answered, quiet, block } = start;
    let key = Key::of(&source.uri);
    let language = request.language.title.clone();
    standing::follow(session, &request.settings);
    let (region, whole) = (request.snippet.range.clone(), request.range.is_none());
    let handle = session.backend.manager.start(request);
    let run_id = handle.id.clone();
    {
        let mut board = session.board();
        board.results.sweep();
        let entry = match &block {
            Some(block) => Entry::block(run_id.clone(), &source, block.range()),
            None => Entry::new(run_id.clone(), &source, region, whole),
        };
        board.results.begin(key.clone(), entry);
    }
    session.publish(&key);
    session.refresh();
    let title = format!("Run {}", source.name());
    let progress = if quiet { None } else { progress(session, std::slice::from_ref(&run_id), token, title) };
    let (sender, finished) = oneshot::channel();
    let follower = Follower {
        session: Arc::clone(session),
        key,
        language,
        progress,
        capture: Capture::new(wait, session.shows_output()),
        run_id: run_id.clone(),
        block,
        next: 0,
    };
    tokio::spawn(async move {
        // The answer names the run; its events come after it.
        if !wait {
            answered.cancelled().await;
        }
        let _ = sender.send(follower.follow(handle).await);
    });
    Started { run_id, finished }
}

/// A progress of some runs, where the client or we want one.
pub(crate) fn progress(
    session: &Shared,
    run_ids: &[String],
    token: Option<ProgressToken>,
    title: String,
) -> Option<(ProgressToken, Progress)> {
    let outbox = session.outbox.clone();
    let named = token.is_some();
    let first = run_ids.first()?;
    let token = token.unwrap_or_else(|| ProgressToken::String(format!("runpen/{first}")));
    let progress = if named {
        Progress::named(outbox, token.clone(), title)
    } else if session.capabilities().progress && session.features().progress {
        Progress::asked_for(session.client.clone(), outbox, token.clone(), title)
    } else {
        return None;
    };
    session.tokens().insert(token.clone(), run_ids.to_vec());
    Some((token, progress))
}

/// Says how many of some runs are over.
pub(crate) fn advance(progress: Option<&(ProgressToken, Progress)>, over: usize, all: usize) {
    if let Some((_, progress)) = progress {
        progress.report(&format!("{over} of {all}"));
    }
}

/// Ends a progress.
pub(crate) fn end_progress(session: &Shared, progress: Option<(ProgressToken, Progress)>, message: &str) {
    if let Some((token, progress)) = progress {
        session.tokens().remove(&token);
        progress.end(message);
    }
}

struct Follower {
    session: Shared,
    key: Key,
    language: String,
    progress: Option<(ProgressToken, Progress)>,
    capture: Capture,
    run_id: String,
    block: Option<BlockRun>,
    /// Number of the next piece of a block's output, since what was not its own is left out.
    next: u64,
}

impl Follower {
    async fn follow(mut self, mut handle: RunHandle) -> Finished {
        let mut image = String::new();
        while let Some(mut event) = handle.events.recv().await {
            match &mut event {
                Event::Output(output) if self.block.is_some() => {
                    let text = std::mem::take(&mut output.text);
                    let stream = output.stream;
                    let text = self.block.as_mut().map(|block| block.take(stream, &text)).unwrap_or_default();
                    self.say(stream, text).await;
                    continue;
                }
                Event::Phase(phase) if phase.state == PhaseState::End => self.flush().await,
                Event::Started(started) => image.clone_from(&started.image),
                Event::Phase(phase) if phase.state == PhaseState::Begin => match phase.phase {
                    PhaseName::Pull => {
                        self.report(&format!("pulling {image}"));
                        self.report_pull(&image);
                    }
                    PhaseName::Compile => self.report("compiling"),
                    PhaseName::Run => self.report("running"),
                },
                Event::Phase(_) => {}
                Event::Output(output) => self.capture.push(output.stream, &output.text),
                Event::Finished(finished) => {
                    let finished = (**finished).clone();
                    return self.finish(finished).await;
                }
            }
            self.session.outbox.event(event).await;
        }
        // The run's task is gone without a last word, which only a mistake of ours can do.
        let lost = Finished {
            run_id: self.run_id.clone(),
            outcome: Outcome::EngineFailure,
            exit_code: None,
            signal: None,
            error: Some("the run was lost inside Runpen; its log says more".to_owned()),
            phases: Vec::new(),
            truncated: true,
            sandbox: None,
            diagnostics: Vec::new(),
            stdout: None,
            stderr: None,
        };
        self.finish(lost).await
    }

    /// Says what is a block's own output.
    async fn say(&mut self, stream: Stream, text: String) {
        if text.is_empty() {
            return;
        }
        self.capture.push(stream, &text);
        let (run_id, seq) = (self.run_id.clone(), self.next);
        self.next += 1;
        self.session.outbox.event(Event::Output(Output { run_id, seq, stream, text, raw: bytes::Bytes::new() })).await;
    }

    /// Says what was held back of a block's output.
    async fn flush(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let text = self.block.as_mut().map(|block| block.rest(stream)).unwrap_or_default();
            self.say(stream, text).await;
        }
    }

    fn report(&self, message: &str) {
        if let Some((_, progress)) = &self.progress {
            progress.report(message);
        }
    }

    /// Says how a pull goes on, as long as it does.
    fn report_pull(&self, image: &str) {
        let Some((_, progress)) = self.progress.clone() else { return };
        let Some(mut pull) = self.session.backend.manager.pulling(image) else { return };
        let image = image.to_owned();
        tokio::spawn(async move {
            while pull.changed().await.is_ok() {
                let now = pull.borrow_and_update().clone();
                if now.is_over() {
                    return;
                }
                progress.report(&format!("pulling {image}: {now}"));
                tokio::time::sleep(super::pulls::PACE).await;
            }
        });
    }

    async fn finish(mut self, mut finished: Finished) -> Finished {
        self.flush().await;
        let session = &self.session;
        let encoding = session.capabilities().encoding;
        let fixes = self.block.as_ref().map(|block| block.judge(&mut finished, encoding)).unwrap_or_default();
        let summary = present::summary(&finished, &self.language, &self.capture);
        let line = summary.line.clone();
        let output = present::whole(&finished, &self.language, &summary.title, &self.capture);
        let end = End { summary, output, diagnostics: finished.diagnostics.clone(), fixes };
        session.board().results.finish(&self.key, &self.run_id, end, encoding);
        session.publish(&self.key);
        if let (Outcome::EngineFailure, Some(error)) = (finished.outcome, &finished.error) {
            session.log(MessageType::ERROR, error.clone());
        }
        if let Some((token, progress)) = &self.progress {
            session.tokens().remove(token);
            progress.end(&line);
        }
        session.outbox.event(Event::Finished(Box::new(finished.clone()))).await;
        session.refresh();
        if let Some([stdout, stderr]) = self.capture.take_whole() {
            finished.stdout = Some(stdout);
            finished.stderr = Some(stderr);
        }
        finished
    }
}
