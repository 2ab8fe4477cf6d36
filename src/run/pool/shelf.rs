//! One recipe, what waits for it and what is on its way. It owns who gets what; it starts and removes nothing.
//!
//! A run that finds nothing waiting takes over a container that is on its way: it will be up sooner than one that is begun
//! now, and the machine makes one container instead of two. Each is promised to one run at most, so a burst beyond them
//! starts cold at once.

use std::sync::Arc;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::Recipe;
use crate::engine::{Container, Engine, EngineError};

/// Longest pause after refills that failed.
const BACK_OFF: Duration = Duration::from_secs(60);

/// A container that waits for a program.
pub(in crate::run) struct Waiting {
    pub(in crate::run) container: Container,
    /// The nonce it was given when its interpreter was started; `None` when a shell waits for its script.
    pub(in crate::run) nonce: Option<String>,
    pub(super) digest: Option<String>,
}

impl Waiting {
    /// Nothing may come from a container before it has a program; one whose streams are closed has died.
    pub(super) fn is_sound(&mut self) -> bool {
        matches!(self.container.output.try_recv(), Err(TryRecvError::Empty))
    }
}

/// What a stage got.
pub(in crate::run) enum Taken {
    /// It is up.
    Ready(Waiting),
    /// It is on its way; the sender goes away without a word when it fails.
    Coming(oneshot::Receiver<Waiting>),
}

/// One that is on its way.
struct Coming {
    number: u64,
    /// The run that it is promised to.
    promised: Option<oneshot::Sender<Waiting>>,
}

/// One recipe and its containers.
pub(super) struct Shelf {
    pub(super) recipe: Recipe,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) wanted: Instant,
    coming: Vec<Coming>,
    failures: u32,
    retry: Option<Instant>,
}

impl Shelf {
    pub(super) fn new(recipe: Recipe, engine: Arc<dyn Engine>) -> Self {
        let (waiting, coming) = (Vec::new(), Vec::new());
        Self { recipe, engine, waiting, wanted: Instant::now(), coming, failures: 0, retry: None }
    }

    /// The newest that is sound, else one that is on its way; and those that were not sound.
    pub(super) fn take(&mut self) -> (Option<Taken>, Vec<Waiting>) {
        self.wanted = Instant::now();
        let mut dead = Vec::new();
        while let Some(mut waiting) = self.waiting.pop() {
            if waiting.is_sound() {
                return (Some(Taken::Ready(waiting)), dead);
            }
            dead.push(waiting);
        }
        // The one that was begun first. A promise whose run is gone is free again.
        let free = self.coming.iter_mut().find(|coming| coming.is_free());
        let taken = free.map(|coming| {
            let (promise, receiver) = oneshot::channel();
            coming.promised = Some(promise);
            Taken::Coming(receiver)
        });
        (taken, dead)
    }

    /// How many wait or will.
    pub(super) fn stock(&self) -> usize {
        self.waiting.len() + self.coming.iter().filter(|coming| coming.is_free()).count()
    }

    /// How many hold memory.
    pub(super) fn held(&self) -> usize {
        self.waiting.len() + self.coming.len()
    }

    /// How long refilling must pause, because it failed.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.retry.and_then(|retry| retry.checked_duration_since(Instant::now())).filter(|pause| !pause.is_zero())
    }

    /// A run has shown that the engine works: no reason to pause any longer.
    pub(super) fn try_again(&mut self) {
        self.retry = None;
    }

    pub(super) fn is_idle(&self, after: Duration) -> bool {
        self.coming.is_empty() && self.wanted.elapsed() > after
    }

    /// One more is on its way.
    pub(super) fn begin(&mut self, number: u64) {
        self.coming.push(Coming { number, promised: None });
    }

    /// One that was on its way has come, or has failed. Says for how long refilling pauses after a failure.
    pub(super) fn arrived(&mut self, number: u64, made: Result<Waiting, EngineError>) -> Result<(), Failure> {
        let at = self.coming.iter().position(|coming| coming.number == number);
        let promised = at.and_then(|at| self.coming.remove(at).promised);
        match made {
            Ok(waiting) => {
                (self.failures, self.retry) = (0, None);
                let left = match promised {
                    Some(promise) => promise.send(waiting).err(),
                    None => Some(waiting),
                };
                self.waiting.extend(left);
                Ok(())
            }
            Err(error) => {
                self.failures += 1;
                let pause = Duration::from_secs(1 << self.failures.min(6)).min(BACK_OFF);
                self.retry = Some(Instant::now() + pause);
                Err(Failure { error, pause })
            }
        }
    }
}

impl Coming {
    fn is_free(&self) -> bool {
        self.promised.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

/// Why nothing came, and for how long nothing is tried.
pub(super) struct Failure {
    pub(super) error: EngineError,
    pub(super) pause: Duration,
}
