//! Work-done progress of one run: made by the client when we ask, or named by the request that started the run.
//!
//! Nobody waits for the client to make it. A run that ended before the client answered begins and ends at once, because
//! a progress that was made and never begun may stay on a screen for ever.

use std::sync::{Arc, Mutex, PoisonError};

use tower_lsp::Client;
use tower_lsp::ls_types::request::WorkDoneProgressCreate;
use tower_lsp::ls_types::{
    ProgressParams, ProgressParamsValue, ProgressToken, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use super::outbox::Outbox;

/// A progress. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Progress {
    token: ProgressToken,
    outbox: Outbox,
    state: Arc<Mutex<State>>,
}

struct State {
    title: String,
    message: Option<String>,
    begun: bool,
    ended: bool,
}

impl Progress {
    /// One that the client has named.
    pub(crate) fn named(outbox: Outbox, token: ProgressToken, title: String) -> Self {
        let progress = Self::new(outbox, token, title);
        progress.begin();
        progress
    }

    /// One that the client is asked to make.
    pub(crate) fn asked_for(client: Client, outbox: Outbox, token: ProgressToken, title: String) -> Self {
        let progress = Self::new(outbox, token, title);
        let later = progress.clone();
        tokio::spawn(async move {
            let params = WorkDoneProgressCreateParams { token: later.token.clone() };
            match client.send_request::<WorkDoneProgressCreate>(params).await {
                Ok(()) => later.begin(),
                Err(error) => tracing::debug!(%error, "the client makes no progress"),
            }
        });
        progress
    }

    fn new(outbox: Outbox, token: ProgressToken, title: String) -> Self {
        let state = State { title, message: None, begun: false, ended: false };
        Self { token, outbox, state: Arc::new(Mutex::new(state)) }
    }

    fn begin(&self) {
        let mut state = self.lock();
        state.begun = true;
        self.say(WorkDoneProgress::Begin(WorkDoneProgressBegin {
            title: state.title.clone(),
            cancellable: Some(!state.ended),
            message: state.message.clone(),
            percentage: None,
        }));
        if state.ended {
            self.say(WorkDoneProgress::End(WorkDoneProgressEnd { message: state.message.clone() }));
        }
    }

    /// Says what happens now.
    pub(crate) fn report(&self, message: &str) {
        let mut state = self.lock();
        state.message = Some(message.to_owned());
        if state.begun && !state.ended {
            let message = state.message.clone();
            self.say(WorkDoneProgress::Report(WorkDoneProgressReport {
                cancellable: Some(true),
                message,
                percentage: None,
            }));
        }
    }

    /// Ends it.
    pub(crate) fn end(&self, message: &str) {
        let mut state = self.lock();
        state.message = Some(message.to_owned());
        state.ended = true;
        if state.begun {
            self.say(WorkDoneProgress::End(WorkDoneProgressEnd { message: state.message.clone() }));
        }
    }

    fn say(&self, value: WorkDoneProgress) {
        let value = ProgressParamsValue::WorkDone(value);
        self.outbox.notify("$/progress", ProgressParams { token: self.token.clone(), value });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
