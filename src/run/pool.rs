//! The warm pool: containers made and started ahead of time, with the full policy, each waiting for its one program.
//!
//! # Theory of operation
//!
//! A [`Recipe`] says everything that a waiting container has in common with the stage that may take it: image, sandbox,
//! and the interpreter that waits in it, if one does. A stage takes only a container of exactly its own recipe, so a changed
//! limit, image or network finds none and starts cold. Nothing waits until a recipe was wanted once; then a few do,
//! within a budget of memory, until it has not been wanted for the idle time-out.
//!
//! Refilling is a background task that gives way to runs: it starts when the run that took a container is over, or
//! shortly after it began. A waiting container that ends is replaced; one that printed anything is thrown away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TryRecvError;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::guest::{self, Boot};
use crate::config::Warm;
use crate::engine::{Container, Engine, EngineError, Spec};
use crate::plan::MIB;
use crate::protocol::PoolStatus;

/// What a waiting shell holds in memory, roughly: measured at 1 to 3 MiB.
const SHELL_COST: u64 = 4 * MIB;

/// What a waiting interpreter holds in memory, roughly: Python 9 MiB, Node 45.
const INTERPRETER_COST: u64 = 48 * MIB;

/// A refill starts this long after the take at the latest, so that a long run does not leave the pool empty.
const GIVE_WAY: Duration = Duration::from_millis(300);

/// The longest that an interpreter may take to come up.
const BOOT_DEADLINE: Duration = Duration::from_secs(20);

/// How often expiry and stale images are looked for while anything waits.
const TICK: Duration = Duration::from_secs(30);

/// Longest pause after refills that failed.
const BACK_OFF: Duration = Duration::from_secs(60);

/// What a waiting container and the stage that takes it have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    pub(super) language: String,
    pub(super) spec: Spec,
    pub(super) boot: Option<Boot>,
}

impl Recipe {
    fn cost(&self) -> u64 {
        if self.boot.is_some() { INTERPRETER_COST } else { SHELL_COST }
    }
}

/// A container that waits for a program.
pub(super) struct Waiting {
    pub(super) container: Container,
    /// The nonce it was given when its interpreter was started; `None` when a shell waits for its script.
    pub(super) nonce: Option<String>,
    digest: Option<String>,
}

impl Waiting {
    /// Nothing may come from a container before it has a program; one whose streams are closed has died.
    fn is_sound(&mut self) -> bool {
        matches!(self.container.output.try_recv(), Err(TryRecvError::Empty))
    }
}

/// One recipe and what waits for it.
struct Shelf {
    recipe: Recipe,
    engine: Arc<dyn Engine>,
    waiting: Vec<Waiting>,
    wanted: Instant,
    /// How many are on their way.
    coming: usize,
    failures: u32,
    retry: Option<Instant>,
}

#[derive(Default)]
struct State {
    shelves: Vec<Shelf>,
    settings: Warm,
    closed: bool,
}

impl State {
    fn shelf(&mut self, recipe: &Recipe) -> Option<&mut Shelf> {
        self.shelves.iter_mut().find(|shelf| shelf.recipe == *recipe)
    }
}

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    tasks: TaskTracker,
    keeper: Arc<Mutex<Option<AbortOnDropHandle<()>>>>,
}

impl Pool {
    /// An empty pool whose starts and removals are tracked by `tasks`.
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { state: Arc::default(), changed: Arc::default(), tasks, keeper: Arc::default() }
    }

    /// A waiting container of exactly this recipe, if there is one.
    pub(super) fn take(&self, recipe: &Recipe) -> Option<Waiting> {
        let mut state = self.lock();
        let shelf = state.shelf(recipe)?;
        shelf.wanted = Instant::now();
        let mut taken = None;
        while let Some(mut waiting) = shelf.waiting.pop() {
            if waiting.is_sound() {
                taken = Some(waiting);
                break;
            }
            self.discard([waiting]);
        }
        taken
    }

    /// Says that runs of this recipe are to be expected: from now on some wait for them. `soon` lets a run go first.
    pub(super) fn want(&self, recipe: Recipe, engine: &Arc<dyn Engine>, settings: &Warm, soon: bool) {
        if !settings.enabled || settings.per_language == 0 {
            return;
        }
        {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            state.settings = settings.clone();
            let now = Instant::now();
            if let Some(shelf) = state.shelf(&recipe) {
                shelf.wanted = now;
                shelf.engine = Arc::clone(engine);
            } else {
                let engine = Arc::clone(engine);
                let (waiting, coming, failures, retry) = (Vec::new(), 0, 0, None);
                state.shelves.push(Shelf { recipe, engine, waiting, wanted: now, coming, failures, retry });
            }
        }
        self.keep();
        if soon {
            let changed = Arc::clone(&self.changed);
            tokio::spawn(async move {
                tokio::time::sleep(GIVE_WAY).await;
                changed.notify_one();
            });
        } else {
            self.changed.notify_one();
        }
    }

    /// A run is over: now is the time to refill.
    pub(super) fn run_ended(&self) {
        self.changed.notify_one();
    }

    /// Throws away everything made from an image, because it was replaced.
    pub(super) fn forget_image(&self, image: &str) {
        let stale: Vec<Waiting> = {
            let mut state = self.lock();
            let shelves = state.shelves.iter_mut().filter(|shelf| shelf.recipe.spec.image == image);
            shelves.flat_map(|shelf| std::mem::take(&mut shelf.waiting)).collect()
        };
        self.discard(stale);
        self.changed.notify_one();
    }

    /// What waits, by language.
    pub(super) fn status(&self) -> Vec<PoolStatus> {
        let mut by_language: HashMap<String, u32> = HashMap::new();
        for shelf in &self.lock().shelves {
            let waiting = by_language.entry(shelf.recipe.language.clone()).or_default();
            *waiting += u32::try_from(shelf.waiting.len()).unwrap_or(u32::MAX);
        }
        let mut status: Vec<_> =
            by_language.into_iter().map(|(language, waiting)| PoolStatus { language, waiting }).collect();
        status.sort_by(|one, other| one.language.cmp(&other.language));
        status
    }

    /// Empties the pool for good.
    pub(super) fn close(&self) {
        let shelves = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.shelves)
        };
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.discard(shelves.into_iter().flat_map(|shelf| shelf.waiting));
    }

    /// Starts the keeper when it is not there yet.
    fn keep(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.as_ref().is_none_or(AbortOnDropHandle::is_finished) {
            let pool = Self { keeper: Arc::default(), ..self.clone() };
            *keeper = Some(AbortOnDropHandle::new(tokio::spawn(pool.tend())));
        }
    }

    /// The keeper: refills, expires, replaces.
    async fn tend(self) {
        loop {
            let pause = self.refill();
            let idle = self.lock().settings.idle_timeout.duration().max(Duration::from_secs(1));
            let pause = pause.unwrap_or(TICK).min(idle).min(TICK);
            let woken = tokio::time::timeout(pause, self.changed.notified()).await;
            if woken.is_err() {
                self.expire();
                self.drop_stale().await;
            }
        }
    }

    /// Starts what is missing; says when to look again because of an earlier failure.
    fn refill(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.lock();
        let (per_language, budget) = (state.settings.per_language as usize, state.settings.memory.bytes());
        let held = |shelf: &Shelf| shelf.recipe.cost() * (shelf.waiting.len() + shelf.coming) as u64;
        let mut used: u64 = state.shelves.iter().map(held).sum();
        let mut again = None;
        // The latest wanted come first: under a tight budget they are the ones that get something.
        state.shelves.sort_by_key(|shelf| std::cmp::Reverse(shelf.wanted));
        for shelf in &mut state.shelves {
            if let Some(pause) = shelf.retry.and_then(|retry| retry.checked_duration_since(now)) {
                again = Some(again.map_or(pause, |earlier: Duration| earlier.min(pause)));
                continue;
            }
            while shelf.waiting.len() + shelf.coming < per_language && used + shelf.recipe.cost() <= budget {
                used += shelf.recipe.cost();
                shelf.coming += 1;
                let (pool, recipe, engine) = (self.clone(), shelf.recipe.clone(), Arc::clone(&shelf.engine));
                self.tasks.spawn(async move {
                    let made = make(engine.as_ref(), &recipe).await;
                    pool.put(&recipe, made);
                });
            }
        }
        again
    }

    /// Puts a new container onto its shelf and watches it.
    fn put(&self, recipe: &Recipe, made: Result<Waiting, EngineError>) {
        let mut surplus = None;
        {
            let mut state = self.lock();
            let closed = state.closed;
            match (state.shelf(recipe), made) {
                (Some(shelf), Ok(ready)) if !closed => {
                    shelf.coming -= 1;
                    (shelf.failures, shelf.retry) = (0, None);
                    self.watch(&ready);
                    shelf.waiting.push(ready);
                }
                (Some(shelf), Err(error)) => {
                    shelf.coming -= 1;
                    shelf.failures += 1;
                    let pause = Duration::from_secs(1 << shelf.failures.min(6)).min(BACK_OFF);
                    shelf.retry = Some(Instant::now() + pause);
                    tracing::warn!(language = recipe.language, %error, ?pause, "no waiting container could be made");
                }
                (_, Ok(ready)) => surplus = Some(ready),
                (None, Err(_)) => {}
            }
        }
        self.discard(surplus);
    }

    /// Wakes the keeper when a waiting container ends.
    fn watch(&self, waiting: &Waiting) {
        let pool = self.clone();
        let handle = Arc::downgrade(&waiting.container.handle);
        let Some(held) = handle.upgrade() else { return };
        tokio::spawn(async move {
            let _ = held.wait().await;
            drop(held);
            pool.drop_dead();
        });
    }

    fn drop_dead(&self) {
        let dead: Vec<Waiting> = {
            let mut state = self.lock();
            state
                .shelves
                .iter_mut()
                .flat_map(|shelf| shelf.waiting.extract_if(.., |waiting| !waiting.is_sound()))
                .collect()
        };
        if !dead.is_empty() {
            tracing::info!(count = dead.len(), "waiting containers ended and are replaced");
            self.discard(dead);
            self.changed.notify_one();
        }
    }

    fn expire(&self) {
        let expired: Vec<Shelf> = {
            let mut state = self.lock();
            let idle = state.settings.idle_timeout.duration();
            state.shelves.extract_if(.., |shelf| shelf.wanted.elapsed() > idle && shelf.coming == 0).collect()
        };
        self.discard(expired.into_iter().flat_map(|shelf| shelf.waiting));
    }

    /// Throws away what was made from an image that its reference no longer names.
    async fn drop_stale(&self) {
        let images: Vec<(String, Arc<dyn Engine>)> = {
            let state = self.lock();
            let filled = state.shelves.iter().filter(|shelf| !shelf.waiting.is_empty());
            filled.map(|shelf| (shelf.recipe.spec.image.clone(), Arc::clone(&shelf.engine))).collect()
        };
        for (reference, engine) in images {
            let Ok(now) = engine.image(&reference).await else { continue };
            let digest = now.map(|image| image.digest);
            let stale: Vec<Waiting> = {
                let mut state = self.lock();
                let shelves = state.shelves.iter_mut().filter(|shelf| shelf.recipe.spec.image == reference);
                shelves.flat_map(|shelf| shelf.waiting.extract_if(.., |waiting| waiting.digest != digest)).collect()
            };
            self.discard(stale);
        }
    }

    fn discard(&self, unwanted: impl IntoIterator<Item = Waiting>) {
        for waiting in unwanted {
            let handle = waiting.container.handle;
            self.tasks.spawn(async move {
                if let Err(error) = handle.remove().await {
                    tracing::warn!(container = handle.name(), %error, "a waiting container could not be removed");
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a container and lets its interpreter come up.
async fn make(engine: &dyn Engine, recipe: &Recipe) -> Result<Waiting, EngineError> {
    let digest = engine.image(&recipe.spec.image).await?.map(|image| image.digest);
    let mut container = engine.start(&recipe.spec).await?;
    let failed = |reason: String| EngineError::Failed { operation: "start an interpreter ahead".to_owned(), reason };
    let nonce = match &recipe.boot {
        None => None,
        Some(boot) => {
            let nonce = crate::engine::owner::random_id::<16>();
            let script = guest::arming(boot, &nonce);
            container.stdin.write_all(&script).await.map_err(|error| failed(error.to_string()))?;
            container.stdin.flush().await.map_err(|error| failed(error.to_string()))?;
            ready(&mut container).await.map_err(failed)?;
            Some(nonce)
        }
    };
    Ok(Waiting { container, nonce, digest })
}

/// Waits until the interpreter says that it is up. Anything else it says is why it cannot be.
async fn ready(container: &mut Container) -> Result<(), String> {
    let mut said = Vec::new();
    let listening = async {
        while said.len() < guest::READY.len() {
            let Some(chunk) = container.output.recv().await else { break };
            said.extend_from_slice(&chunk.bytes);
        }
    };
    let in_time = tokio::time::timeout(BOOT_DEADLINE, listening).await.is_ok();
    if said == guest::READY {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said).lines().next_back().unwrap_or_default().to_owned();
    Err(if in_time { format!("it said: {said}") } else { format!("it was not up in time; it said: {said}") })
}
