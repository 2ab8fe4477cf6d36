//! `runpen.showOutput`: all that a run printed, opened by the editor. The request to the client waits in a task of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::request::ShowDocument;
use tower_lsp::ls_types::{MessageType, ShowDocumentParams, Uri};

use crate::lsp::documents::{Key, name_of};
use crate::lsp::present;
use crate::lsp::session::Shared;
use crate::protocol::ShowOutputParams;

/// How long the command's answer waits for the editor's.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) async fn show(session: &Shared, params: ShowOutputParams) -> Result<Option<Value>> {
    if !session.shows_output() {
        return Err(Error::invalid_params(match session.features().output {
            Some(_) => "output is not kept: `presentation.output` is off",
            None => "output cannot be shown: the editor does not offer `window/showDocument`",
        }));
    }
    let ShowOutputParams { uri, run_id } = params;
    let kept = {
        let board = session.board();
        let entries = board.results.of(&Key::of(&uri)).iter().rev();
        let mut asked = entries.filter(|entry| run_id.as_ref().is_none_or(|run_id| entry.run_id == *run_id));
        asked.find_map(|entry| Some((entry.run_id.clone(), Arc::clone(entry.output()?))))
    };
    let Some((run_id, whole)) = kept else {
        let run = run_id.map_or("a run".to_owned(), |run_id| format!("the run `{run_id}`"));
        return Err(Error::invalid_params(format!("no output of {run} of {} is kept; run it again", name_of(&uri))));
    };
    let outputs = session.backend.outputs.clone();
    let written = tokio::task::spawn_blocking(move || outputs.write(&run_id, &present::page(&whole))).await;
    let path = written.map_err(|_| Error::internal_error())?.map_err(|error| {
        let error = format!("the output cannot be written for the editor to open: {error}");
        Error { message: error.into(), ..Error::internal_error() }
    })?;
    let uri = Uri::from_file_path(&path).ok_or_else(Error::internal_error)?;
    let session = Arc::clone(session);
    let shown = tokio::spawn(async move {
        // Nothing is said of focus: Eglot takes `false` for yes.
        let params = ShowDocumentParams { uri, external: None, take_focus: None, selection: None };
        let shown = session.client.send_request::<ShowDocument>(params).await;
        if !shown.is_ok_and(|shown| shown.success) {
            session.log(MessageType::WARNING, format!("the editor did not show {}", path.display()));
        }
    });
    // lsp-mode forgets what it reads behind an answer in one piece with it, so the request has to be there first. A client
    // that shows nothing while it waits for us is not waited for.
    let _ = tokio::time::timeout(PATIENCE, shown).await;
    Ok(None)
}
