//! Hover: the whole result, on the line that shows it.

use tower_lsp::ls_types::{Hover, HoverContents, HoverParams, MarkupContent, MarkupKind};

use crate::lsp::documents::Key;
use crate::lsp::present;
use crate::lsp::session::Shared;

pub(crate) fn hover(session: &Shared, params: &HoverParams) -> Option<Hover> {
    let at = &params.text_document_position_params;
    if !session.features().hover {
        return None;
    }
    let client = session.capabilities();
    let board = session.board();
    let entries = board.results.of(&Key::of(at.text_document.uri.as_str())).iter();
    let here = entries.filter(|entry| present::line_of(entry, client.encoding) == at.position.line);
    let results: Vec<&str> =
        here.filter_map(|entry| Some(entry.result.as_ref()?.summary.as_ref()?.hover.as_str())).collect();
    if results.is_empty() {
        return None;
    }
    let markdown = results.join("\n---\n\n");
    let (kind, value) = if client.hover_markdown {
        (MarkupKind::Markdown, markdown)
    } else {
        (MarkupKind::PlainText, present::plain(&markdown))
    };
    Some(Hover { contents: HoverContents::Markup(MarkupContent { kind, value }), range: None })
}
