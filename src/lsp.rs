//! The language server. The only code that names `tower_lsp`; it must not know which engine runs things.
//!
//! # Map
//!
//! | module | owns |
//! |---|---|
//! | `frame` | bytes → message bodies |
//! | `transport` | bodies → the service, in order; answers → outbox |
//! | `server` | each message to its handler |
//! | `session` | what handlers share |
//! | `capabilities` | what the client can do, resolved once |
//! | `documents` | open texts and versions |
//! | `blocks` | what the run of a code block comes to: promises not kept, and their fixes |
//! | `edits` | where a place is after an edit |
//! | `results` | what is shown of runs, at places that follow edits |
//! | `runs` | one task a run: events → outbox, results, progress |
//! | `standing` | how the engine stands and what waits, told when it changes |
//! | `pulls` | images ahead of need and on request, with their progress |
//! | `capture` | what a run printed, bounded |
//! | `progress` | work-done progress of a run |
//! | `present` | runs and results → LSP types |
//! | `outputs` | files with whole outputs, for the editor to open |
//! | `outbox` | the one ordered, coalescing queue to the client |
//! | `handlers` | one file for each thing a client asks |
//!
//! # Invariants
//!
//! - No handler awaits a run or the client, save the one whose caller asked to wait (`wait: true`), and `runpen.showOutput`,
//!   which gives the client a second to show it.
//! - Nothing asks an engine before a document is opened, or a command needs one.
//! - `window/showMessage` is never used: it stops a Neovim screen.
//! - Every document change is applied before anything that came after it is looked at.

mod blocks;
mod capabilities;
mod capture;
mod documents;
mod edits;
mod frame;
mod handlers;
mod outbox;
mod outputs;
mod parent;
mod present;
mod progress;
mod pulls;
mod results;
mod runs;
mod server;
mod session;
mod standing;
mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::task::AbortOnDropHandle;
use tower_lsp::LspService;

pub use self::handlers::settings::{EditorSettings, Loaded, SettingsSource};
use self::outbox::Outbox;
pub use self::outputs::Outputs;
use self::server::Server;
use self::session::Session;
use crate::engine::Engines;
use crate::engine::health::Health;
use crate::engine::ledger::Ledger;
use crate::run::Manager;
use crate::status::Source;
use crate::status::exporter::Exporter;

/// How long containers may take to be removed at the end.
const GRACE: Duration = Duration::from_secs(5);

/// How long the client may take to read the last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What the server works with.
#[derive(Clone)]
pub struct Backend {
    /// Runs things.
    pub manager: Manager,
    /// The same engines, for `runpen.status`.
    pub engines: Arc<dyn Engines>,
    /// Watches over the one that is used.
    pub health: Arc<Health>,
    /// Tells Prometheus, where the user wants it.
    pub exporter: Arc<Exporter>,
    began: Instant,
    /// Where settings come from.
    pub settings: Arc<dyn SettingsSource>,
    /// Outputs that the editor opens.
    pub outputs: Outputs,
}

impl Backend {
    /// A backend that runs on these engines. Needs a tokio runtime.
    #[must_use]
    pub fn new(engines: Arc<dyn Engines>, settings: Arc<dyn SettingsSource>) -> Self {
        let health = Arc::new(Health::new(Arc::clone(&engines)));
        let (manager, exporter) = (Manager::new(Arc::clone(&engines)), Arc::default());
        Self { manager, engines, health, exporter, began: Instant::now(), settings, outputs: Outputs::default() }
    }

    /// The same, noting in `ledger` which images it brought and used.
    #[must_use]
    pub fn noting(mut self, ledger: Ledger) -> Self {
        self.manager = self.manager.noting(ledger);
        self
    }

    /// The same, with a place for outputs that the editor opens.
    #[must_use]
    pub fn showing(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }
}

impl Backend {
    /// What this server tells of itself.
    #[must_use]
    pub fn status(&self) -> Source {
        Source::new(self.manager.clone(), Arc::clone(&self.health), Arc::clone(&self.exporter), self.began)
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether the client had asked for the end with `shutdown`.
    pub politely: bool,
}

impl Ended {
    /// The exit code that the protocol asks for.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        u8::from(!self.politely)
    }
}

/// Serves one client until `exit`, the end of its input, or until it reads no more. All runs have been cancelled, and
/// their containers removed or given up after a short grace, when it returns.
pub async fn serve<R, W>(stdin: R, stdout: W, backend: Backend) -> Ended
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (outbox, writer) = Outbox::new();
    let (manager, health) = (backend.manager.clone(), Arc::clone(&backend.health));
    let mut session = None;
    let (service, socket) = LspService::build(|client| {
        let shared = Arc::new(Session::new(backend, client, outbox.clone()));
        session = Some(Arc::clone(&shared));
        Server { session: shared }
    })
    .custom_method("window/workDoneProgress/cancel", Server::progress_cancelled)
    .finish();
    let mut writer = tokio::spawn(writer.run(stdout));
    let _telling = session.clone().map(|session| AbortOnDropHandle::new(tokio::spawn(standing::tell(session))));
    transport::serve(stdin, service, socket, outbox.clone(), || health.heard()).await;
    manager.shutdown(GRACE).await;
    outbox.close();
    if tokio::time::timeout(LAST_WORDS, &mut writer).await.is_err() {
        writer.abort();
    }
    Ended { politely: session.is_some_and(|session| session.is_shut_down()) }
}

/// Serves on standard input and output, and also ends at SIGTERM, SIGINT or SIGHUP. The caller must leave by
/// [`std::process::exit`]: a read of standard input that is under way cannot be stopped.
pub async fn run_stdio(backend: Backend) -> Ended {
    let (manager, outputs) = (backend.manager.clone(), backend.outputs.clone());
    let served = serve(tokio::io::stdin(), tokio::io::stdout(), backend);
    tokio::select! {
        ended = served => ended,
        () = interrupted() => {
            outputs.end();
            manager.shutdown(GRACE).await;
            Ended { politely: false }
        }
    }
}

#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    // A terminal that is closed sends its editor a hangup, and what the editor has started gets it too.
    let [terminate, interrupt, hangup] =
        [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = (terminate, interrupt, hangup) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
