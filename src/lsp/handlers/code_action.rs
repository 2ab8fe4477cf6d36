//! Code actions: everything a lens offers and more, for clients without lenses.

use serde_json::json;
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionTriggerKind, Command,
};

use super::command::language_of;
use super::lens::call;
use crate::lsp::documents::Key;
use crate::lsp::session::Shared;
use crate::protocol::command;

/// Kinds of our own: running code is neither a fix nor a refactoring, and must never happen on saving.
pub(crate) const KINDS: [&str; 3] = [RUN, STOP, CLEAR];
const RUN: &str = "runpen.run";
const STOP: &str = "runpen.stop";
const CLEAR: &str = "runpen.clear";

pub(crate) fn actions(session: &Shared, params: &CodeActionParams) -> Vec<CodeActionOrCommand> {
    let uri = params.text_document.uri.as_str();
    let wanted = |kind: &str| {
        let only = params.context.only.as_ref();
        only.is_none_or(|only| only.iter().any(|only| covers(only.as_str(), kind)))
    };
    // Asked while the cursor moves: a light bulb at every line would be noise, one at a selection is an offer.
    let automatic = params.context.trigger_kind == Some(CodeActionTriggerKind::AUTOMATIC);
    let mut actions: Vec<(&str, Command)> = Vec::new();
    let source = session.board().documents.source(uri).and_then(Result::ok);
    let runnable = source.is_some_and(|source| {
        super::settings::load(session, source.path.as_deref())
            .is_ok_and(|settings| language_of(&settings, &source).is_some())
    });
    if runnable {
        if params.range.start != params.range.end {
            let argument = json!({"uri": uri, "range": params.range});
            actions.push((RUN, call("Run selection in sandbox", command::RUN_SELECTION, argument)));
        }
        if !automatic {
            actions.push((RUN, call("Run file in sandbox", command::RUN_FILE, json!({"uri": uri}))));
        }
    }
    if !automatic {
        let board = session.board();
        let entries = board.results.of(&Key::of(uri));
        for entry in entries.iter().filter(|entry| entry.result.is_none()) {
            actions.push((STOP, call("Stop", command::CANCEL, json!({"runId": entry.run_id}))));
        }
        if entries.iter().any(|entry| entry.result.is_some()) {
            actions.push((CLEAR, call("Clear results", command::CLEAR, json!({"uri": uri}))));
        }
    }
    let literals = session.capabilities().action_literals;
    let action = |(kind, command): (&'static str, Command)| {
        if literals {
            let (title, kind) = (command.title.clone(), Some(CodeActionKind::from(kind)));
            CodeActionOrCommand::CodeAction(CodeAction { title, kind, command: Some(command), ..CodeAction::default() })
        } else {
            CodeActionOrCommand::Command(command)
        }
    };
    actions.into_iter().filter(|(kind, _)| wanted(kind)).map(action).collect()
}

/// Whether asking for `asked` asks for `kind`: kinds are paths with dots.
fn covers(asked: &str, kind: &str) -> bool {
    asked.is_empty() || kind.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
