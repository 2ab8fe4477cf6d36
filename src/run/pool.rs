//! The warm pool: containers made and started ahead of time, with the full policy, each waiting for its one program.
//!
//! # Theory of operation
//!
//! A [`Recipe`] says everything that a waiting container has in common with the stage that may take it: image, sandbox,
//! and the interpreter that waits in it, if one does. A stage takes only a container of exactly its own recipe, so a changed
//! limit, image or network finds none and starts cold. Nothing waits until a recipe was wanted once; then a few do,
//! within a budget of memory, until it has not been wanted for the idle time-out. Who gets what is [`shelf`]'s.
//!
//! Refilling is a background task that gives way to runs: it starts when the run that took a container is over, or
//! shortly after it began. A waiting container that ends is replaced; one that printed anything is thrown away. Whether the
//! images are still those that their references name is asked behind runs and once in a while, never in front of one.

mod shelf;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use self::shelf::{Failure, Shelf};
pub(super) use self::shelf::{Taken, Waiting};
use super::guest::{self, Boot};
use crate::config::Warm;
use crate::engine::{Container, Engine, EngineError, Spec};
use crate::language::BootKind;
use crate::plan::MIB;
use crate::protocol::PoolStatus;

/// What a waiting shell holds in memory, roughly: measured at 1 to 3 MiB.
const SHELL_COST: u64 = 4 * MIB;

/// What a waiting interpreter holds in memory, roughly: Python 9 MiB, Node 45, Ruby 25.
fn interpreter_cost(kind: BootKind) -> u64 {
    match kind {
        BootKind::Python => 12 * MIB,
        BootKind::Node => 48 * MIB,
        BootKind::Ruby => 28 * MIB,
    }
}

/// An interpreter waits for a file of a certain name. For how many names of a language some do, the latest ones.
const NAMES: usize = 3;

/// A refill starts this long after the take at the latest, so that a long run does not leave the pool empty.
const GIVE_WAY: Duration = Duration::from_millis(300);

/// The longest that an interpreter may take to come up.
const BOOT_DEADLINE: Duration = Duration::from_secs(20);

/// How often expiry and stale images are looked for while anything waits.
const TICK: Duration = Duration::from_secs(30);

/// How often stale images are looked for behind runs at the most.
const GLANCE: Duration = Duration::from_secs(2);

/// How long the engine may take to say what an image is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all that waits may hold at the most, whatever the settings say: a quarter of the machine.
static CEILING: LazyLock<u64> =
    LazyLock::new(|| quarter(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default()));

/// A quarter of the memory that `/proc/meminfo` tells of; where there is none, no ceiling.
fn quarter(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|total| total.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.map_or(u64::MAX, |kibibytes| kibibytes / 4 * 1024)
}

/// What a waiting container and the stage that takes it have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    pub(super) language: String,
    pub(super) spec: Spec,
    pub(super) boot: Option<Boot>,
}

impl Recipe {
    fn cost(&self) -> u64 {
        self.boot.as_ref().map_or(SHELL_COST, |boot| interpreter_cost(boot.kind))
    }
}

#[derive(Default)]
struct State {
    shelves: Vec<Shelf>,
    settings: Warm,
    closed: bool,
    /// Counts what is begun.
    number: u64,
    /// When stale images were looked for.
    looked: Option<Instant>,
    /// Whether the user was told that the budget is more than the machine has.
    told: bool,
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
    /// What waits is not what it was.
    moved: watch::Sender<()>,
    tasks: TaskTracker,
    keeper: Arc<Mutex<Option<AbortOnDropHandle<()>>>>,
}

impl Pool {
    /// An empty pool whose starts and removals are tracked by `tasks`.
    pub(super) fn new(tasks: TaskTracker) -> Self {
        let (state, changed, moved, keeper) = Default::default();
        Self { state, changed, moved, tasks, keeper }
    }

    /// A container of exactly this recipe that waits or is on its way, if there is one.
    pub(super) fn take(&self, recipe: &Recipe) -> Option<Taken> {
        let (taken, dead) = self.lock().shelf(recipe)?.take();
        self.discard(dead);
        self.moved.send_replace(());
        taken
    }

    /// Tells when what waits has changed.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    /// An engine answers again, perhaps over another connection: what waits for it is made anew at once.
    pub(super) fn renew(&self, engine: &Arc<dyn Engine>) {
        let place = engine.place();
        for shelf in self.lock().shelves.iter_mut().filter(|shelf| shelf.engine.place() == place) {
            shelf.engine = Arc::clone(engine);
            shelf.try_again();
        }
        self.drop_dead();
        self.changed.notify_one();
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
            if let Some(shelf) = state.shelf(&recipe) {
                shelf.wanted = Instant::now();
                shelf.engine = Arc::clone(engine);
            } else {
                state.shelves.push(Shelf::new(recipe, Arc::clone(engine)));
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

    /// A run is over: now is the time to refill, also what could not be made before the engine worked again.
    pub(super) fn run_ended(&self) {
        self.lock().shelves.iter_mut().for_each(Shelf::try_again);
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
            }
            if self.lock().looked.is_none_or(|looked| looked.elapsed() >= GLANCE) {
                self.drop_stale().await;
                self.lock().looked = Some(Instant::now());
            }
        }
    }

    /// Starts what is missing; says when to look again because of an earlier failure.
    fn refill(&self) -> Option<Duration> {
        let state = &mut *self.lock();
        let (per_language, asked) = (state.settings.per_language as usize, state.settings.memory.bytes());
        let budget = asked.min(*CEILING);
        if budget < asked && !std::mem::replace(&mut state.told, true) {
            let (asked, budget) = (asked / MIB, budget / MIB);
            tracing::warn!("warm.memory is {asked}M, more than this machine can give: {budget}M are used");
        }
        let mut used: u64 = state.shelves.iter().map(|shelf| shelf.recipe.cost() * shelf.held() as u64).sum();
        let mut again = None;
        // The latest wanted come first: under a tight budget they are the ones that get something.
        state.shelves.sort_by_key(|shelf| std::cmp::Reverse(shelf.wanted));
        let mut names: HashMap<String, usize> = HashMap::new();
        for shelf in &mut state.shelves {
            if shelf.recipe.boot.is_some() {
                let names = names.entry(shelf.recipe.language.clone()).or_default();
                *names += 1;
                if *names > NAMES {
                    self.discard(std::mem::take(&mut shelf.waiting));
                    continue;
                }
            }
            if let Some(pause) = shelf.pause() {
                again = Some(again.map_or(pause, |earlier: Duration| earlier.min(pause)));
                continue;
            }
            while shelf.stock() < per_language && used + shelf.recipe.cost() <= budget {
                used += shelf.recipe.cost();
                state.number += 1;
                shelf.begin(state.number);
                let (pool, recipe, engine) = (self.clone(), shelf.recipe.clone(), Arc::clone(&shelf.engine));
                let number = state.number;
                self.tasks.spawn(async move {
                    let made = make(engine.as_ref(), &recipe).await;
                    pool.put(&recipe, number, made);
                });
            }
        }
        again
    }

    /// Gives a new container to the run that it was promised to, or puts it onto its shelf; watches it.
    fn put(&self, recipe: &Recipe, number: u64, made: Result<Waiting, EngineError>) {
        let mut surplus = None;
        {
            let mut state = self.lock();
            let closed = state.closed;
            match (state.shelf(recipe), made) {
                (Some(shelf), made) if !closed => {
                    if let Ok(ready) = &made {
                        self.watch(ready);
                    }
                    if let Err(Failure { error, pause }) = shelf.arrived(number, made) {
                        tracing::warn!(language = recipe.language, %error, ?pause, "no waiting container could be made");
                    }
                }
                (_, Ok(ready)) => surplus = Some(ready),
                (_, Err(_)) => {}
            }
        }
        self.discard(surplus);
        self.moved.send_replace(());
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
            state.shelves.extract_if(.., |shelf| shelf.is_idle(idle)).collect()
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
            let asked = tokio::time::timeout(PATIENCE, engine.image(&reference)).await;
            let Ok(Ok(now)) = asked else { continue };
            let digest = now.map(|image| image.digest);
            let stale: Vec<Waiting> = {
                let mut state = self.lock();
                let shelves = state.shelves.iter_mut().filter(|shelf| shelf.recipe.spec.image == reference);
                shelves.flat_map(|shelf| shelf.waiting.extract_if(.., |waiting| waiting.digest != digest)).collect()
            };
            if !stale.is_empty() {
                tracing::info!(
                    image = reference,
                    count = stale.len(),
                    "waiting containers of an image that changed are replaced"
                );
                self.discard(stale);
                self.changed.notify_one();
            }
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
            self.moved.send_replace(());
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
            let script = guest::arming(boot, &nonce, container.handle.outlives_server());
            container.stdin.write_all(&script).await.map_err(|error| failed(error.to_string()))?;
            container.stdin.flush().await.map_err(|error| failed(error.to_string()))?;
            ready(&mut container).await.map_err(failed)?.then_some(nonce)
        }
    };
    Ok(Waiting { container, nonce, digest })
}

/// Waits until the interpreter says that it is up, or the shell that it waits itself. Anything else is why neither can.
async fn ready(container: &mut Container) -> Result<bool, String> {
    let mut said = Vec::new();
    let listening = async {
        while said.len() < guest::READY.len() {
            let Some(chunk) = container.output.recv().await else { break };
            said.extend_from_slice(&chunk.bytes);
        }
    };
    let in_time = tokio::time::timeout(BOOT_DEADLINE, listening).await.is_ok();
    if said == guest::READY || said == guest::PLAIN {
        return Ok(said == guest::READY);
    }
    let said = String::from_utf8_lossy(&said).lines().next_back().unwrap_or_default().to_owned();
    Err(if in_time { format!("it said: {said}") } else { format!("it was not up in time; it said: {said}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_a_quarter_of_the_machine() {
        assert_eq!(quarter("MemTotal:       16777216 kB\nMemFree: 1 kB\n"), 4096 * MIB);
        assert_eq!(quarter(""), u64::MAX);
    }
}
