//! Documents as the editor shows them. Nothing here awaits, so changes apply in the order in which they come.

use tower_lsp::ls_types::{DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams};

use crate::lsp::documents::Key;
use crate::lsp::session::Shared;
use crate::lsp::{pulls, standing};

pub(crate) fn opened(session: &Shared, params: DidOpenTextDocumentParams) {
    let document = params.text_document;
    let uri = document.uri.as_str().to_owned();
    let key = Key::of(&uri);
    {
        let board = &mut *session.board();
        let document = board.documents.open(uri, document.language_id, document.version, &document.text);
        board.results.opened(&key, &document.text);
    }
    session.publish(&key);
    expect(session, &key);
}

/// A document that is looked at will be run: its image may come, containers for its language may get ready. Nobody waits.
fn expect(session: &Shared, key: &Key) {
    let Some(Ok(source)) = session.board().documents.source_of(key) else { return };
    let Ok(settings) = super::settings::load(session, source.path.as_deref()) else { return };
    if let Some(language) = super::command::language_of(&settings, &source) {
        standing::follow(session, &settings);
        pulls::ahead(session, &source, language, &settings);
    }
}

/// The same for all open documents, when settings came that may name other images.
pub(crate) fn expect_all(session: &Shared) {
    let keys: Vec<Key> = session.board().documents.sources().iter().map(|source| Key::of(&source.uri)).collect();
    for key in keys {
        expect(session, &key);
    }
}

pub(crate) fn changed(session: &Shared, params: &DidChangeTextDocumentParams) {
    let document = &params.text_document;
    let key = Key::of(document.uri.as_str());
    let encoding = session.capabilities().encoding;
    {
        let board = &mut *session.board();
        let changed = board.documents.change(&key, document.version, &params.content_changes, encoding);
        let Some((document, edits)) = changed else {
            tracing::warn!(uri = document.uri.as_str(), "a document changed that is not open");
            return;
        };
        board.results.edited(&key, &edits, &document.text);
        if !document.is_known() {
            // Nobody can tell where anything is now.
            board.results.closed(&key);
        }
    }
    session.publish(&key);
}

pub(crate) fn closed(session: &Shared, params: &DidCloseTextDocumentParams) {
    let key = Key::of(params.text_document.uri.as_str());
    {
        let mut board = session.board();
        board.results.closed(&key);
        board.documents.close(&key);
    }
    session.publish(&key);
}
