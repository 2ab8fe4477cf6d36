//! Everything that handlers share: what the client can do, open documents, results, settings, progress in flight.
//! Locks are held for a lookup or a change, never across an await.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::request::{CodeLensRefresh, InlayHintRefreshRequest};
use tower_lsp::ls_types::{LogMessageParams, MessageType, ProgressToken, PublishDiagnosticsParams, Uri};

use super::Backend;
use super::capabilities::Capabilities;
use super::documents::{self, Documents, Key, Source};
use super::handlers::settings::{Editor, Features};
use super::outbox::Outbox;
use super::present;
use super::pulls::Pulls;
use super::results::Results;

/// One client's session.
pub(crate) struct Session {
    pub(crate) backend: Backend,
    pub(crate) client: Client,
    pub(crate) outbox: Outbox,
    pub(crate) shut_down: AtomicBool,
    capabilities: OnceLock<(Capabilities, Features)>,
    board: Mutex<Board>,
    editor: Mutex<Editor>,
    tokens: Mutex<HashMap<ProgressToken, Vec<String>>>,
    pulls: Mutex<Pulls>,
}

/// Documents and what is shown of them, which change together.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) documents: Documents,
    pub(crate) results: Results,
    /// What was published last, so that an edit that moves nothing publishes nothing.
    published: HashMap<Key, PublishDiagnosticsParams>,
}

impl Session {
    pub(crate) fn new(backend: Backend, client: Client, outbox: Outbox) -> Self {
        Self {
            backend,
            client,
            outbox,
            shut_down: AtomicBool::new(false),
            capabilities: OnceLock::new(),
            board: Mutex::default(),
            editor: Mutex::default(),
            tokens: Mutex::default(),
            pulls: Mutex::default(),
        }
    }

    /// Whether the client has asked for the end.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down.load(Ordering::Acquire)
    }

    pub(crate) fn initialized(&self, capabilities: Capabilities, features: Features) {
        let _ = self.capabilities.set((capabilities, features));
    }

    /// What the client can do; nothing before `initialize`.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities.get().map(|(capabilities, _)| *capabilities).unwrap_or_default()
    }

    /// What the client wants the server to show.
    pub(crate) fn features(&self) -> Features {
        self.capabilities.get().map(|(_, features)| *features).unwrap_or_default()
    }

    /// Whether whole outputs are kept, for the editor to open.
    pub(crate) fn shows_output(&self) -> bool {
        self.features().output.unwrap_or(self.capabilities().show_document)
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the editor says of settings.
    pub(crate) fn editor(&self) -> MutexGuard<'_, Editor> {
        self.editor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs by the token of their progress.
    pub(crate) fn tokens(&self) -> MutexGuard<'_, HashMap<ProgressToken, Vec<String>>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pulls that the client sees.
    pub(crate) fn pulls(&self) -> MutexGuard<'_, Pulls> {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text of a document: as the editor shows it or, when it was never opened, as it is on disk. Does not wait when
    /// it is open, so that what runs is what was there when the request came.
    pub(crate) async fn source(&self, uri: &str) -> Result<Source> {
        let open = self.board().documents.source(uri);
        let source = match open {
            Some(source) => source,
            None => documents::read(uri).await,
        };
        source.map_err(|error| Error::invalid_params(error.to_string()))
    }

    /// Publishes the diagnostics of a document as they stand now.
    pub(crate) fn publish(&self, key: &Key) {
        let mut board = self.board();
        let capabilities = self.capabilities();
        let board = &mut *board;
        let document = board.documents.get(key);
        let last = board.published.get(key);
        let uri = document.and_then(|document| Uri::from_str(&document.uri).ok());
        let known = board.results.of(key).iter().find_map(|entry| Uri::from_str(&entry.uri).ok());
        let Some(uri) = uri.or(known).or_else(|| last.map(|last| last.uri.clone())) else { return };
        let mut diagnostics = Vec::new();
        for entry in board.results.of(key) {
            for placed in entry.result.iter().flat_map(|shown| &shown.diagnostics) {
                diagnostics.push(present::diagnostic(uri.as_str(), entry, placed, capabilities));
            }
        }
        if last.map_or(&[][..], |last| &last.diagnostics) == diagnostics {
            return;
        }
        let version = document.map(|document| document.version);
        let params = PublishDiagnosticsParams { uri, diagnostics, version };
        // Under the lock, so that what is said last is what is true.
        self.outbox.notify("textDocument/publishDiagnostics", &params);
        if params.diagnostics.is_empty() {
            board.published.remove(key);
        } else {
            board.published.insert(key.clone(), params);
        }
    }

    /// Lets the client ask anew for what changed without an edit. Nobody waits for its answer, and an error is no news:
    /// some clients have not implemented what they announce.
    pub(crate) fn refresh(&self) {
        let (capabilities, features, client) = (self.capabilities(), self.features(), self.client.clone());
        if !capabilities.lens_refresh && !capabilities.hint_refresh {
            return;
        }
        tokio::spawn(async move {
            let lenses = async {
                if capabilities.lens_refresh && features.code_lens {
                    let _ = client.send_request::<CodeLensRefresh>(()).await;
                }
            };
            let hints = async {
                if capabilities.hint_refresh && features.inlay_hints {
                    let _ = client.send_request::<InlayHintRefreshRequest>(()).await;
                }
            };
            tokio::join!(lenses, hints);
        });
    }

    /// A line in the client's log. Never a pop-up: those stop a Neovim screen.
    pub(crate) fn log(&self, typ: MessageType, message: impl Into<String>) {
        let params = LogMessageParams { typ, message: message.into() };
        self.outbox.notify("window/logMessage", params);
    }
}

/// How handlers reach the session they serve.
pub(crate) type Shared = Arc<Session>;
