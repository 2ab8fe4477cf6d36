//! The manager of all runs: makes ids, owns the tasks, passes on input and cancellation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bakery::Bakery;
use super::pool::Pool;
use super::pulls::{Pulling, Pulls, Ticket};
use super::task::{Task, Voice, recipes};

use crate::config::Settings;
use crate::engine::ledger::Ledger;
use crate::engine::owner::random_id;
use crate::engine::{Engine, EngineError, Engines};
use crate::language::Language;
use crate::metrics::Metrics;
use crate::plan::{Plan, SourceFile};
use crate::protocol::{Event, PoolStatus, Range, RunStatus};
use crate::snippet::Snippet;
use crate::text::Encoding;

/// Where a program's standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stdin {
    /// It is empty.
    #[default]
    Empty,
    /// All of it is known.
    Text(Vec<u8>),
    /// It comes by [`Manager::send_input`].
    Interactive,
}

/// One run to make.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// What runs.
    pub snippet: Snippet,
    /// Its language.
    pub language: Language,
    /// The settings at the time of asking.
    pub settings: Arc<Settings>,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// Files that lie beside the program. With any, no waiting container is taken: one may wait for a single file.
    pub files: Vec<SourceFile>,
    /// Standard input.
    pub stdin: Stdin,
    /// The document, for `started`.
    pub uri: Option<String>,
    /// The selection, for `started`.
    pub range: Option<Range>,
    /// What positions of diagnostics count.
    pub encoding: Encoding,
    /// Never take a waiting container.
    pub cold: bool,
    /// Give output as the bytes it is made of, not as text.
    pub raw: bool,
    /// Runs that share it take turns: each waits for a permit, cancellable, before it asks for an engine.
    pub turns: Option<Arc<Semaphore>>,
}

/// A run under way.
#[derive(Debug)]
pub struct RunHandle {
    /// Its id.
    pub id: String,
    /// Everything it says; `Finished` is the last. Dropping it cancels the run.
    pub events: mpsc::Receiver<Event>,
}

/// Why input could not be passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No such run.
    #[error("no run {0} is under way; it may have finished")]
    UnknownRun(String),
    /// Its input is closed, or was given whole.
    #[error("run {0} takes no more input: its standard input is closed")]
    Closed(String),
    /// It does not read.
    #[error("run {0} does not read its input: {1} bytes wait already; send more when it has read them")]
    Full(String, usize),
}

/// Bytes of input that may wait for a program that does not read.
const INPUT_LIMIT: usize = 1024 * 1024;

/// Events that may wait for a client. Each holds at most one chunk of output.
const EVENT_QUEUE: usize = 64;

/// The manager. Cheap to clone.
#[derive(Clone)]
pub struct Manager {
    engines: Arc<dyn Engines>,
    runs: Arc<Mutex<BTreeMap<u64, Entry>>>,
    next: Arc<AtomicU64>,
    tasks: TaskTracker,
    pool: Pool,
    bakery: Bakery,
    pulls: Pulls,
    ledger: Ledger,
    metrics: Metrics,
}

/// A run under way.
struct Entry {
    id: String,
    uri: Option<String>,
    language: String,
    since: Instant,
    cancel: CancellationToken,
    input: Option<InputQueue>,
}

/// Input on its way to a program: a channel, and the bytes that wait in it.
struct InputQueue {
    sender: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Manager {
    /// A manager whose runs get their engine from `engines`.
    #[must_use]
    pub fn new(engines: Arc<dyn Engines>) -> Self {
        let tasks = TaskTracker::new();
        let (ledger, metrics) = (Ledger::default(), Metrics::default());
        let (pool, bakery) = (Pool::new(tasks.clone()), Bakery::new(tasks.clone(), ledger.clone()));
        let pulls = Pulls::new(tasks.clone(), ledger.clone(), metrics.clone());
        Self { engines, runs: Arc::default(), next: Arc::default(), tasks, pool, bakery, pulls, ledger, metrics }
    }

    /// The same, noting in `ledger` which images it brought and used.
    #[must_use]
    pub fn noting(mut self, ledger: Ledger) -> Self {
        self.bakery = Bakery::new(self.tasks.clone(), ledger.clone());
        self.pulls = Pulls::new(self.tasks.clone(), ledger.clone(), self.metrics.clone());
        self.ledger = ledger;
        self
    }

    /// The image of a language, on its way: `None` when the engine has it. The pull goes on while the ticket is held.
    pub async fn fetch(&self, language: &Language, settings: &Settings) -> Result<Option<Ticket>, EngineError> {
        let engine = self.engines.engine(&settings.engine_wish()).await?;
        if engine.image(&language.image).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(self.pulls.join(&engine, &language.image)))
    }

    /// How the pull of an image stands, while there is one.
    #[must_use]
    pub fn pulling(&self, image: &str) -> Option<watch::Receiver<Pulling>> {
        self.pulls.watch(image)
    }

    /// Starts a run and returns at once. Needs a tokio runtime.
    #[must_use]
    pub fn start(&self, request: RunRequest) -> RunHandle {
        let (sender, receiver) = mpsc::channel(1);
        let mut queue = None;
        match &request.stdin {
            Stdin::Empty => drop(sender),
            Stdin::Text(text) => {
                let sent = sender.try_send(Bytes::copy_from_slice(text));
                debug_assert!(sent.is_ok(), "the channel is new and has room for one");
            }
            Stdin::Interactive => queue = Some(self.forward(sender)),
        }
        self.launch(request, receiver, queue)
    }

    /// Starts a run whose standard input comes from `input`, and ends when its senders are dropped.
    #[must_use]
    pub fn start_piped(&self, request: RunRequest, input: mpsc::Receiver<Bytes>) -> RunHandle {
        self.launch(request, input, None)
    }

    /// A queue that accepts input at once, within its limit, and passes it on as the program reads.
    fn forward(&self, sender: mpsc::Sender<Bytes>) -> InputQueue {
        let (queue, mut queued) = mpsc::unbounded_channel::<Bytes>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        self.tasks.spawn(async move {
            loop {
                let piece = tokio::select! {
                    () = sender.closed() => return,
                    piece = queued.recv() => piece,
                };
                let Some(piece) = piece else { return };
                let length = piece.len();
                if sender.send(piece).await.is_err() {
                    return;
                }
                left.fetch_sub(length, Ordering::AcqRel);
            }
        });
        InputQueue { sender: queue, waiting }
    }

    fn launch(&self, request: RunRequest, input: mpsc::Receiver<Bytes>, queue: Option<InputQueue>) -> RunHandle {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // The number makes the id unique here, the rest tells it from another server's.
        let id = format!("{}-{number}", random_id::<4>());
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        let cancel = CancellationToken::new();
        let entry = Entry {
            id: id.clone(),
            uri: request.uri.clone(),
            language: request.language.name.clone(),
            since: Instant::now(),
            cancel: cancel.clone(),
            input: queue,
        };
        self.lock().insert(number, entry);
        let task = Task {
            voice: Voice { run_id: id.clone(), events, cancel },
            request,
            engines: Arc::clone(&self.engines),
            input: Some(input),
            tracker: self.tasks.clone(),
            pool: self.pool.clone(),
            bakery: self.bakery.clone(),
            pulls: self.pulls.clone(),
            ledger: self.ledger.clone(),
            metrics: self.metrics.clone(),
        };
        let registered = Registered { runs: Arc::clone(&self.runs), number };
        self.tasks.spawn(task.run(registered));
        RunHandle { id, events: receiver }
    }

    /// Queues input for an interactive run.
    pub fn send_input(&self, run_id: &str, text: &[u8], eof: bool) -> Result<(), InputError> {
        let mut runs = self.lock();
        let entry = runs.values_mut().find(|entry| entry.id == run_id);
        let entry = entry.ok_or_else(|| InputError::UnknownRun(run_id.to_owned()))?;
        let closed = || InputError::Closed(run_id.to_owned());
        let queue = entry.input.as_ref().ok_or_else(closed)?;
        let waiting = queue.waiting.load(Ordering::Acquire);
        if waiting + text.len() > INPUT_LIMIT {
            return Err(InputError::Full(run_id.to_owned(), waiting));
        }
        if !text.is_empty() {
            queue.waiting.fetch_add(text.len(), Ordering::AcqRel);
            queue.sender.send(Bytes::copy_from_slice(text)).map_err(|_| closed())?;
        }
        if eof {
            entry.input = None;
        }
        Ok(())
    }

    /// Stops a run, or all of them; says how many were asked to stop.
    #[must_use]
    pub fn cancel(&self, run_id: Option<&str>) -> usize {
        let runs = self.lock();
        let asked = runs.values().filter(|entry| run_id.is_none_or(|id| entry.id == id));
        asked.inspect(|entry| entry.cancel.cancel()).count()
    }

    /// Runs in flight, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunStatus> {
        let runs = self.lock();
        let status = |entry: &Entry| RunStatus {
            run_id: entry.id.clone(),
            uri: entry.uri.clone(),
            language: entry.language.clone(),
            elapsed_ms: super::task::milliseconds(entry.since.elapsed()),
        };
        runs.values().map(status).collect()
    }

    /// Says that runs of a language are to be expected with these settings, of a file with this name in the sandbox where it
    /// is known: containers for them are made ahead. Returns at once; an engine that does not answer is left for the run to
    /// complain of.
    pub fn expect(&self, language: &Language, settings: &Arc<Settings>, file_name: Option<&str>) {
        let manager = self.clone();
        let (language, settings) = (language.clone(), Arc::clone(settings));
        let file_name = file_name.unwrap_or(&language.file_name).to_owned();
        tokio::spawn(async move {
            let Ok(engine) = manager.engines.engine(&settings.engine_wish()).await else { return };
            let language = manager.bakery.best(&engine, &language, true, async {}).await;
            // What a waiting container has in common with its run does not depend on the program.
            let mut snippet = Snippet::placeholder(&language);
            snippet.file_name = file_name;
            let plan = Plan::new(&snippet, &language, &settings, &[]);
            for recipe in recipes(&plan, &language, &snippet.file_name) {
                manager.pool.want(recipe, &engine, &settings.warm, false);
            }
        });
    }

    /// Waiting containers, by language.
    #[must_use]
    pub fn pool(&self) -> Vec<PoolStatus> {
        self.pool.status()
    }

    /// What was counted of all runs and pulls.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tells when [`Manager::pool`] has changed.
    #[must_use]
    pub fn pool_changes(&self) -> watch::Receiver<()> {
        self.pool.changes()
    }

    /// An engine answers again: containers wait on it as before.
    pub fn engine_returned(&self, engine: &Arc<dyn Engine>) {
        self.pool.renew(engine);
    }

    /// An image was replaced: nothing that was made from it before may take a run.
    pub fn image_changed(&self, image: &str) {
        self.pool.forget_image(image);
    }

    /// Stops all runs and waits until their containers are gone, at most for `grace`.
    pub async fn shutdown(&self, grace: Duration) {
        let stopped = self.cancel(None);
        self.pool.close();
        self.bakery.close();
        self.pulls.close();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(stopped, "containers were still being removed at the end; `runpen gc` finishes it");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run's place in the registry, given up before its `finished` is said.
pub(super) struct Registered {
    runs: Arc<Mutex<BTreeMap<u64, Entry>>>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}
