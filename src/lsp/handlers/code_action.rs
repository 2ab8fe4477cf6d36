//! Code actions: everything a lens offers and more, for clients without lenses.

use serde_json::json;
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionTriggerKind, Command, Diagnostic,
    DocumentChanges, NumberOrString, OneOf, OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextEdit,
    Uri, WorkspaceEdit,
};

use super::command::language_of;
use super::lens::call;
use crate::language::Languages;
use crate::lsp::blocks::STALE;
use crate::lsp::documents::{Key, Source, byte_range, from_lsp};
use crate::lsp::present;
use crate::lsp::results::Entry;
use crate::lsp::session::Shared;
use crate::protocol::{self, command};
use crate::text::{Encoding, Text};

/// Kinds of our own: running code is neither a fix nor a refactoring, and must never happen on saving.
pub(crate) const KINDS: [&str; 6] = [RUN, STOP, SHOW, CLEAR, INSERT, "quickfix"];
const INSERT: &str = "runpen.insert";
const RUN: &str = "runpen.run";
const STOP: &str = "runpen.stop";
const SHOW: &str = "runpen.show";
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
    let settings = source.as_ref().and_then(|source| super::settings::load(session, source.path.as_deref()).ok());
    let mut blocks = Vec::new();
    if let (Some(source), Some(settings)) = (&source, &settings) {
        if !automatic {
            actions.extend(block_actions(session, params, source, &settings.languages));
        }
        blocks = fixes(session, params, source);
    }
    let runnable = source.zip(settings).filter(|(source, settings)| language_of(settings, source).is_some());
    if let Some((source, _)) = runnable {
        if selects(&source.text, params.range, session.capabilities().encoding) {
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
        if let Some(entry) = shown(entries, params.range, session.capabilities().encoding) {
            let argument = json!({"uri": uri, "runId": entry.run_id});
            actions.push((SHOW, call("Show output", command::SHOW_OUTPUT, argument)));
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
    let fixes = blocks.into_iter().filter(|(kind, _)| literals && wanted(kind)).map(|(_, fix)| fix);
    fixes.chain(actions.into_iter().filter(|(kind, _)| wanted(kind)).map(action)).collect()
}

/// The run whose output is offered: the one at the cursor, else the last one that ended.
fn shown(entries: &[Entry], range: Range, encoding: Encoding) -> Option<&Entry> {
    let kept = || entries.iter().rev().filter(|entry| entry.output().is_some());
    let here =
        |entry: &&Entry| byte_range(&entry.text, from_lsp(range), encoding).is_some_and(|asked| entry.covers(&asked));
    kept().find(here).or_else(|| kept().next())
}

/// Run the block at the cursor, and all blocks.
fn block_actions(
    session: &Shared,
    params: &CodeActionParams,
    source: &Source,
    languages: &Languages,
) -> Vec<(&'static str, Command)> {
    let (uri, at) = (params.text_document.uri.as_str(), params.range.start);
    let Some(page) = source.page() else { return Vec::new() };
    let place = protocol::Position { line: at.line, character: at.character };
    let offset = source.text.offset(place, session.capabilities().encoding);
    let block = offset.and_then(|offset| page.at(&source.text, offset)).map(|index| &page.blocks[index]);
    let mut actions = Vec::new();
    if block.is_some_and(|block| block.language(languages).is_some()) {
        let argument = json!({"uri": uri, "position": at});
        actions.push((RUN, call("Run block in sandbox", command::RUN_BLOCK, argument)));
    }
    if page.blocks.iter().any(|block| block.skipped(languages).is_none()) {
        actions.push((RUN, call("Run all blocks in sandbox", command::RUN_ALL_BLOCKS, json!({"uri": uri}))));
    }
    actions
}

/// What the results at the cursor suggest to change in the document: a promise that is not kept, output to insert.
fn fixes(session: &Shared, params: &CodeActionParams, source: &Source) -> Vec<(&'static str, CodeActionOrCommand)> {
    let client = session.capabilities();
    let board = session.board();
    let key = Key::of(params.text_document.uri.as_str());
    let Some(version) = board.documents.get(&key).map(|document| document.version) else { return Vec::new() };
    let text = &source.text;
    let Some(asked) = byte_range(text, from_lsp(params.range), client.encoding) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in board.results.of(&key) {
        for fix in entry.result.iter().flat_map(|shown| &shown.fixes) {
            let near = |range: &std::ops::Range<usize>| {
                crate::document::line_start(text.as_str(), range.start) <= asked.end
                    && asked.start <= crate::document::line_end(text.as_str(), range.end)
            };
            if !entry.covers(&asked) && !fix.edits.iter().any(|(mark, _)| near(&mark.range)) {
                continue;
            }
            let edits = fix.edits.iter().map(|(mark, new_text)| TextEdit {
                range: present::range(text.range(&mark.range, client.encoding)),
                new_text: new_text.clone(),
            });
            let edit = workspace_edit(&params.text_document.uri, version, edits.collect(), client.versioned_edits);
            let kind = if fix.mends { CodeActionKind::QUICKFIX } else { CodeActionKind::from(INSERT) };
            let stale = |diagnostic: &&Diagnostic| {
                diagnostic.code == Some(NumberOrString::String(STALE.to_owned()))
                    && diagnostic.source.as_deref() == Some("runpen")
            };
            let mended: Vec<Diagnostic> = params.context.diagnostics.iter().filter(stale).cloned().collect();
            let action = CodeAction {
                title: fix.title.clone(),
                kind: Some(kind),
                diagnostics: (fix.mends && !mended.is_empty()).then_some(mended),
                edit: Some(edit),
                is_preferred: fix.mends.then_some(true),
                ..CodeAction::default()
            };
            found.push((if fix.mends { "quickfix" } else { INSERT }, CodeActionOrCommand::CodeAction(action)));
        }
    }
    found
}

/// An edit of one document, of one version of it where the client can tell.
fn workspace_edit(uri: &Uri, version: i32, edits: Vec<TextEdit>, versioned: bool) -> WorkspaceEdit {
    if versioned {
        let text_document = OptionalVersionedTextDocumentIdentifier { uri: uri.clone(), version: Some(version) };
        let edits = edits.into_iter().map(OneOf::Left).collect();
        let changes = DocumentChanges::Edits(vec![TextDocumentEdit { text_document, edits }]);
        WorkspaceEdit { document_changes: Some(changes), ..WorkspaceEdit::default() }
    } else {
        WorkspaceEdit { changes: Some([(uri.clone(), edits)].into()), ..WorkspaceEdit::default() }
    }
}

/// Whether a range is a selection that somebody made. Helix and Kakoune always have a character selected, the one under
/// the cursor: taken for a selection, its run would be the first thing they offer.
fn selects(text: &Text, range: Range, encoding: Encoding) -> bool {
    let bytes = byte_range(text, from_lsp(range), encoding).unwrap_or_default();
    text.as_str()[bytes].trim().chars().nth(1).is_some()
}

/// Whether asking for `asked` asks for `kind`: kinds are paths with dots.
fn covers(asked: &str, kind: &str) -> bool {
    asked.is_empty() || kind.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
