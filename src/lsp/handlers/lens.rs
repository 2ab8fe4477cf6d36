//! Code lenses: run and stop at the top of each document that can be run.

use serde_json::{Value, json};
use tower_lsp::ls_types::{CodeLens, CodeLensParams, Command, Position, Range};

use super::command::language_of;
use crate::lsp::documents::Key;
use crate::lsp::session::Shared;
use crate::protocol::command;

/// Stop lenses of one document.
const STOP_LIMIT: usize = 4;

pub(crate) fn lenses(session: &Shared, params: &CodeLensParams) -> Vec<CodeLens> {
    if !session.features().code_lens {
        return Vec::new();
    }
    let uri = params.text_document.uri.as_str();
    let Some(Ok(source)) = session.board().documents.source(uri) else { return Vec::new() };
    let runnable = super::settings::load(session, source.path.as_deref())
        .is_ok_and(|settings| language_of(&settings, &source).is_some());
    if !runnable {
        return Vec::new();
    }
    let board = session.board();
    let entries = board.results.of(&Key::of(uri));
    let running = entries.iter().filter(|entry| entry.result.is_none());
    let mut commands: Vec<Command> =
        running.take(STOP_LIMIT).map(|entry| call("■ Stop", command::CANCEL, json!({"runId": entry.run_id}))).collect();
    let summary = entries.iter().rev().find_map(|entry| entry.result.as_ref()?.summary.as_ref());
    if commands.is_empty() {
        let last = summary.map(|summary| format!(" · {}", summary.title)).unwrap_or_default();
        commands.push(call(&format!("▶ Run in sandbox{last}"), command::RUN_FILE, json!({"uri": uri})));
        if entries.iter().any(|entry| entry.result.is_some()) {
            commands.push(call("Clear", command::CLEAR, json!({"uri": uri})));
        }
    }
    let top = Range::new(Position::new(0, 0), Position::new(0, 0));
    commands.into_iter().map(|command| CodeLens { range: top, command: Some(command), data: None }).collect()
}

/// A command with its one argument, as `workspace/executeCommand` gets it back.
pub(crate) fn call(title: &str, name: &str, argument: Value) -> Command {
    Command { title: title.to_owned(), command: name.to_owned(), arguments: Some(vec![argument]) }
}
