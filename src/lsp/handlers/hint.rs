//! Inlay hints: the result at the end of the line that was run.

use tower_lsp::ls_types::{InlayHint, InlayHintParams};

use crate::lsp::documents::Key;
use crate::lsp::present;
use crate::lsp::session::Shared;

pub(crate) fn hints(session: &Shared, params: &InlayHintParams) -> Vec<InlayHint> {
    if !session.features().inlay_hints {
        return Vec::new();
    }
    let client = session.capabilities();
    let board = session.board();
    let entries = board.results.of(&Key::of(params.text_document.uri.as_str())).iter();
    let hints = entries.filter_map(|entry| {
        let summary = entry.result.as_ref()?.summary.as_ref()?;
        present::hint(entry, summary, client)
    });
    let lines = params.range.start.line..=params.range.end.line;
    hints.filter(|hint| lines.contains(&hint.position.line)).collect()
}
