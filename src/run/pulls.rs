//! Images on their way: one pull at a time for each, however many want it.
//!
//! # Theory of operation
//!
//! Whoever wants an image joins its pull and holds a [`Ticket`]. The first one starts it, and it stops when the last ticket is
//! dropped: a cancelled run stops the pull that only it waited for, and no other. A pull that a fault interrupts is tried
//! again with growing pauses; the engine keeps the layers that are whole, so it goes on where it was. What came is noted
//! in the [`Ledger`], since only that may ever be pruned.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::ledger::Ledger;
use crate::engine::{Engine, EngineError, PullProgress};
use crate::metrics::{Metrics, Pulled};

/// Pauses before each further attempt.
const BACK_OFF: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8)];

/// An engine that says nothing for so long fetches nothing.
const SILENCE: Duration = Duration::from_secs(120);

/// How a pull stands.
#[derive(Debug, Clone, Default)]
pub struct Pulling {
    /// What has come.
    pub progress: PullProgress,
    /// Why it waits for another attempt, while it does.
    pub interrupted: Option<String>,
    end: Option<Result<(), EngineError>>,
}

impl Pulling {
    /// Whether it has come, or will not come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }
}

impl std::fmt::Display for Pulling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PullProgress { done_bytes, total_bytes, done_layers, total_layers } = self.progress;
        if let Some(reason) = &self.interrupted {
            return write!(f, "interrupted, is tried again ({reason})");
        }
        if total_layers == 0 {
            return f.write_str("asking the registry");
        }
        write!(f, "{} of {}, {done_layers} of {total_layers} layers", megabytes(done_bytes), megabytes(total_bytes))
    }
}

/// Bytes as people read them.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
    let bytes = bytes as f64;
    if bytes < 1e9 { format!("{:.1} MB", bytes / 1e6) } else { format!("{:.2} GB", bytes / 1e9) }
}

/// A wish for an image. Dropping it takes the wish back.
pub struct Ticket {
    state: watch::Receiver<Pulling>,
    _flight: Arc<Flight>,
    image: String,
}

impl Ticket {
    /// Waits for news, and tells how it stands; `None` when it is over.
    pub async fn news(&mut self) -> Option<Pulling> {
        self.state.changed().await.ok()?;
        let now = self.state.borrow_and_update().clone();
        now.end.is_none().then_some(now)
    }

    /// Waits for the end.
    pub async fn done(&mut self) -> Result<(), EngineError> {
        let ended = self.state.wait_for(|now| now.end.is_some()).await.ok().and_then(|now| now.end.clone());
        ended.unwrap_or_else(|| {
            let reason = "Runpen is ending".to_owned();
            Err(EngineError::Failed { operation: format!("fetch image {}", self.image), reason })
        })
    }
}

/// A pull under way, as long as anybody wants it.
struct Flight(CancellationToken);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

type Flights = HashMap<(String, String), (Weak<Flight>, watch::Receiver<Pulling>)>;

/// All pulls. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pulls {
    flights: Arc<Mutex<Flights>>,
    tasks: TaskTracker,
    closed: CancellationToken,
    ledger: Ledger,
    metrics: Metrics,
}

impl Pulls {
    pub(super) fn new(tasks: TaskTracker, ledger: Ledger, metrics: Metrics) -> Self {
        Self { flights: Arc::default(), tasks, closed: CancellationToken::new(), ledger, metrics }
    }

    /// Stops all.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// Joins the pull of an image, or starts it.
    pub(super) fn join(&self, engine: &Arc<dyn Engine>, image: &str) -> Ticket {
        let key = (engine.place(), image.to_owned());
        let mut flights = self.lock();
        flights.retain(|_, (flight, _)| flight.strong_count() > 0);
        let under_way = flights.get(&key).and_then(|(flight, state)| Some((flight.upgrade()?, state.clone())));
        if let Some((flight, mut state)) = under_way
            && state.borrow_and_update().end.is_none()
        {
            return Ticket { state, _flight: flight, image: image.to_owned() };
        }
        let flight = Arc::new(Flight(self.closed.child_token()));
        let (sender, state) = watch::channel(Pulling::default());
        flights.insert(key, (Arc::downgrade(&flight), state.clone()));
        drop(flights);
        let (engine, stop, reference) = (Arc::clone(engine), flight.0.clone(), image.to_owned());
        let (ledger, metrics) = (self.ledger.clone(), self.metrics.clone());
        self.tasks.spawn(async move {
            let fetching = async {
                fetch(engine.as_ref(), &reference, &sender).await?;
                if let Some(image) = engine.image(&reference).await? {
                    ledger.brought(&engine.place(), &reference, &image.digest);
                }
                Ok(())
            };
            let end = stop.run_until_cancelled(fetching).await;
            let how = match &end {
                None => Pulled::Cancelled,
                Some(Ok(())) => Pulled::Here,
                Some(Err(_)) => Pulled::Failed,
            };
            metrics.pulled(how, sender.borrow().progress.done_bytes);
            let Some(end) = end else { return };
            match &end {
                Ok(()) => tracing::info!(image = reference, "fetched an image"),
                Err(error) => tracing::warn!(%error, "an image could not be fetched"),
            }
            sender.send_modify(|now| now.end = Some(end));
        });
        Ticket { state, _flight: flight, image: image.to_owned() }
    }

    /// How a pull of this image stands, without wanting it.
    pub(super) fn watch(&self, image: &str) -> Option<watch::Receiver<Pulling>> {
        let flights = self.lock();
        let mut here = flights.iter().filter(|((_, reference), _)| reference == image);
        here.find_map(|(_, (flight, state))| (flight.strong_count() > 0).then(|| state.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches, and tries again what may pass.
async fn fetch(engine: &dyn Engine, image: &str, state: &watch::Sender<Pulling>) -> Result<(), EngineError> {
    for pause in BACK_OFF {
        match attempt(engine, image, state).await {
            Err(EngineError::PullInterrupted { reason, .. }) => {
                tracing::info!(image, reason, ?pause, "a pull was interrupted and is tried again");
                state.send_modify(|now| now.interrupted = Some(reason));
                tokio::time::sleep(pause).await;
                state.send_modify(|now| now.interrupted = None);
            }
            other => return other,
        }
    }
    attempt(engine, image, state).await
}

/// One attempt, as long as the engine tells of it.
async fn attempt(engine: &dyn Engine, image: &str, state: &watch::Sender<Pulling>) -> Result<(), EngineError> {
    let (sender, mut steps) = mpsc::channel(16);
    let mut pulling = engine.pull(image, sender);
    loop {
        tokio::select! {
            biased;
            pulled = &mut pulling => return pulled,
            step = steps.recv() => match step {
                Some(progress) => state.send_modify(|now| now.progress = progress),
                None => return pulling.await,
            },
            () = tokio::time::sleep(SILENCE) => return Err(EngineError::PullInterrupted {
                image: image.to_owned(),
                reason: format!("nothing came for {} s", SILENCE.as_secs()),
                advice: "the registry or the way to it is stuck: try again".to_owned(),
            }),
        }
    }
}
