//! Code lenses: run and stop at the top of each document that can be run, and over each of its code blocks.

use std::collections::HashMap;

use serde_json::{Value, json};
use tower_lsp::ls_types::{CodeLens, CodeLensParams, Command, Position, Range};

use super::command::language_of;
use crate::document::Page;
use crate::language::Languages;
use crate::lsp::documents::{Key, Source};
use crate::lsp::results::Entry;
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
    let Ok(settings) = super::settings::load(session, source.path.as_deref()) else { return Vec::new() };
    let mut lenses = Vec::new();
    if let Some(page) = source.page() {
        lenses = of_blocks(session, uri, &source, &page, &settings.languages);
    }
    if language_of(&settings, &source).is_none() {
        return lenses;
    }
    let board = session.board();
    let entries = board.results.of(&Key::of(uri));
    let whole = || entries.iter().filter(|entry| entry.block_start().is_none());
    let running = whole().filter(|entry| entry.result.is_none());
    let mut commands: Vec<Command> =
        running.take(STOP_LIMIT).map(|entry| call("■ Stop", command::CANCEL, json!({"runId": entry.run_id}))).collect();
    let summary = whole().rev().find_map(|entry| entry.result.as_ref()?.summary.as_ref());
    if commands.is_empty() {
        let last = summary.map(|summary| format!(" · {}", summary.title)).unwrap_or_default();
        commands.push(call(&format!("▶ Run in sandbox{last}"), command::RUN_FILE, json!({"uri": uri})));
        if whole().any(|entry| entry.result.is_some()) {
            commands.push(call("Clear", command::CLEAR, json!({"uri": uri})));
        }
    }
    let top = Range::new(Position::new(0, 0), Position::new(0, 0));
    lenses.splice(0..0, commands.into_iter().map(|command| lens(top, command)));
    lenses
}

/// Run, or stop, over each block whose language is known; over the first of several, run all.
fn of_blocks(session: &Shared, uri: &str, source: &Source, page: &Page, languages: &Languages) -> Vec<CodeLens> {
    let encoding = session.capabilities().encoding;
    let board = session.board();
    let entries = board.results.of(&Key::of(uri));
    // The last run of each block; edits have moved its start along with the block.
    let last: HashMap<usize, &Entry> = entries.iter().filter_map(|entry| Some((entry.block_start()?, entry))).collect();
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut lenses = Vec::with_capacity(page.blocks.len() + 1);
    let mut running = 0;
    for block in &page.blocks {
        let is_known = match block.label.as_deref() {
            Some(label) if block.transcript.is_none() => {
                *known.entry(label).or_insert_with(|| block.language(languages).is_some())
            }
            _ => block.language(languages).is_some(),
        };
        if !is_known || block.code.as_str().trim().is_empty() {
            continue;
        }
        let place = source.text.position(block.range.start, encoding);
        let position = Position::new(place.line, place.character);
        let entry = last.get(&block.range.start);
        let command = match entry {
            Some(entry) if entry.result.is_none() => {
                running += 1;
                call("■ Stop", command::CANCEL, json!({"runId": entry.run_id}))
            }
            _ => {
                let summary = entry.and_then(|entry| entry.result.as_ref()?.summary.as_ref());
                let last = summary.map(|summary| format!(" · {}", summary.title)).unwrap_or_default();
                call(&format!("▶ Run{last}"), command::RUN_BLOCK, json!({"uri": uri, "position": position}))
            }
        };
        lenses.push(lens(Range::new(position, position), command));
    }
    if lenses.len() > 1 && running == 0 {
        let all = call("▶ Run all blocks", command::RUN_ALL_BLOCKS, json!({"uri": uri}));
        lenses.insert(1, lens(lenses[0].range, all));
    }
    lenses
}

fn lens(range: Range, command: Command) -> CodeLens {
    CodeLens { range, command: Some(command), data: None }
}

/// A command with its one argument, as `workspace/executeCommand` gets it back.
pub(crate) fn call(title: &str, name: &str, argument: Value) -> Command {
    Command { title: title.to_owned(), command: name.to_owned(), arguments: Some(vec![argument]) }
}
