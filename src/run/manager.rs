//! The manager of all runs: makes ids, owns the tasks, passes on input and cancellation.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::Settings;
use crate::engine::Engines;
use crate::language::Language;
use crate::protocol::{Event, Range, RunStatus};
use crate::snippet::Snippet;
use crate::text::Encoding;

/// Where a program's standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stdin {
    /// It is empty.
    #[default]
    Empty,
    /// All of it is known.
    Text(Vec<u8>),
    /// It comes by [`Manager::send_input`].
    Interactive,
}

/// One run to make.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// What runs.
    pub snippet: Snippet,
    /// Its language.
    pub language: Language,
    /// The settings at the time of asking.
    pub settings: Arc<Settings>,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// Standard input.
    pub stdin: Stdin,
    /// The document, for `started`.
    pub uri: Option<String>,
    /// The selection, for `started`.
    pub range: Option<Range>,
    /// What positions of diagnostics count.
    pub encoding: Encoding,
    /// Never take a waiting container.
    pub cold: bool,
}

/// A run under way.
#[derive(Debug)]
pub struct RunHandle {
    /// Its id.
    pub id: String,
    /// Everything it says; `Finished` is the last. Dropping it cancels the run.
    pub events: mpsc::Receiver<Event>,
}

/// Why input could not be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No such run.
    #[error("no run {0} is under way; it may have finished")]
    UnknownRun(String),
    /// Its input is closed, or was given whole.
    #[error("run {0} takes no more input: its standard input is closed")]
    Closed(String),
    /// It does not read.
    #[error("run {0} does not read its input: {1} bytes wait already; send more when it has read them")]
    Full(String, usize),
}

/// The manager. Cheap to clone.
#[derive(Clone)]
pub struct Manager {
    engines: Arc<dyn Engines>,
}

impl Manager {
    /// A manager whose runs get their engine from `engines`.
    #[must_use]
    pub fn new(engines: Arc<dyn Engines>) -> Self {
        Self { engines }
    }

    /// Starts a run and returns at once. Needs a tokio runtime.
    #[must_use]
    pub fn start(&self, request: RunRequest) -> RunHandle {
        let _ = (request, &self.engines);
        unimplemented!()
    }

    /// Queues input for an interactive run.
    pub fn send_input(&self, run_id: &str, text: &[u8], eof: bool) -> Result<(), InputError> {
        let _ = (run_id, text, eof);
        unimplemented!()
    }

    /// Stops a run, or all of them; says how many were asked to stop.
    #[must_use]
    pub fn cancel(&self, run_id: Option<&str>) -> usize {
        let _ = run_id;
        unimplemented!()
    }

    /// Runs in flight, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunStatus> {
        unimplemented!()
    }

    /// Stops all runs and waits until their containers are gone, at most for `grace`.
    pub async fn shutdown(&self, grace: Duration) {
        let _ = grace;
    }
}
