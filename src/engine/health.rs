//! Whether the engine that the settings ask for answers, for as long as somebody wants to know.
//!
//! # Theory of operation
//!
//! One task follows one engine, and says in a channel how it stands. That an engine is gone is told by itself
//! ([`Engine::lost`]), without a clock. That one hangs shows only when it is asked, and asking keeps a laptop awake: so it is
//! asked while somebody is there to see it, which is for `PRESENT` after each word from the editor. One that is gone is
//! looked for with growing pauses: up to a second while somebody is there, else up to half a minute, and at once with the
//! next word; on another machine the pauses are longer, since each look may be an `ssh`.
//!
//! It starts nothing before somebody wants to know, and it must not know who that is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Engine, EngineInfo, Engines};
use crate::config::{EngineChoice, EngineWish};

/// For how long after a word from the editor somebody is taken to look at it.
const PRESENT: Duration = Duration::from_secs(30);

/// How often an engine that may hang is asked meanwhile.
const EVERY: Duration = Duration::from_millis(300);

/// How long one that hangs may take for its answer before it is asked anew.
const HANGING: Duration = Duration::from_secs(10);

/// How long an engine may take to say what it is.
const WHAT: Duration = Duration::from_secs(10);

/// Pauses between looks for an engine: the first one, and the longest while somebody is there and while nobody is.
struct Pauses {
    first: Duration,
    present: Duration,
    absent: Duration,
}

const NEAR: Pauses =
    Pauses { first: Duration::from_millis(200), present: Duration::from_millis(800), absent: Duration::from_secs(30) };
const FAR: Pauses =
    Pauses { first: Duration::from_secs(1), present: Duration::from_secs(15), absent: Duration::from_secs(120) };

/// After how long it is looked whether the engine that was wanted first is back, while another stands in.
const STAND_IN: Duration = Duration::from_secs(5);

/// How an engine stands.
#[derive(Clone, Default)]
pub enum Standing {
    /// Nobody has asked yet.
    #[default]
    Unknown,
    /// It answers.
    Answers(Arc<dyn Engine>, EngineInfo),
    /// It does not, for this reason.
    Silent(String),
}

impl Standing {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) => true,
            (Self::Answers(one, first), Self::Answers(two, second)) => Arc::ptr_eq(one, two) && first == second,
            (Self::Silent(one), Self::Silent(two)) => one == two,
            _ => false,
        }
    }
}

/// The watch over one engine. Dropping it ends the watch.
pub struct Health {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    engines: Arc<dyn Engines>,
    wish: watch::Sender<Option<EngineWish>>,
    standing: watch::Sender<Standing>,
    heard: Mutex<Option<Instant>>,
    word: Notify,
}

impl Health {
    /// A watch that waits until it is wanted. Needs a tokio runtime.
    #[must_use]
    pub fn new(engines: Arc<dyn Engines>) -> Self {
        let (wish, wishes) = watch::channel(None);
        let standing = watch::Sender::default();
        let shared = Arc::new(Shared { engines, wish, standing, heard: Mutex::default(), word: Notify::new() });
        let task = tokio::spawn(Arc::clone(&shared).keep(wishes));
        Self { shared, _task: AbortOnDropHandle::new(task) }
    }

    /// Follows the engine that these settings ask for.
    pub fn want(&self, wish: EngineWish) {
        self.shared.wish.send_if_modified(|now| {
            let changed = now.as_ref() != Some(&wish);
            *now = Some(wish);
            changed
        });
    }

    /// Somebody is there.
    pub fn heard(&self) {
        *self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.shared.word.notify_waiters();
    }

    /// How it stands, from now on.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.shared.standing.subscribe()
    }
}

impl Shared {
    async fn keep(self: Arc<Self>, mut wishes: watch::Receiver<Option<EngineWish>>) {
        let (mut misses, mut looks) = (0, 0);
        loop {
            let Ok(wish) = wishes.wait_for(Option::is_some).await.map(|wish| wish.clone().unwrap_or_default()) else {
                return;
            };
            wishes.mark_unchanged();
            match self.look(&wish).await {
                Ok((engine, info)) => {
                    misses = 0;
                    // Asked anew, a stand-in is another engine by its address alone: nothing to tell.
                    let stands_in = wish.choice == EngineChoice::Auto && engine.name() == "embedded";
                    self.say(Standing::Answers(Arc::clone(&engine), info.clone()));
                    tokio::select! {
                        reason = engine.lost() => {
                            self.say(Standing::Silent(reason));
                            looks = 0;
                        }
                        () = self.ask(&engine, &info) => {}
                        () = self.stood_in(looks), if stands_in => looks += 1,
                        changed = wishes.changed() => if changed.is_err() { return } else { continue },
                    }
                }
                Err(reason) => self.say(Standing::Silent(reason)),
            }
            let silent = matches!(*self.standing.borrow(), Standing::Silent(_));
            if silent {
                let pauses = if self.engines.is_far(&wish) { FAR } else { NEAR };
                tokio::select! {
                    () = self.pause(&pauses, misses) => misses += 1,
                    changed = wishes.changed() => if changed.is_err() { return } else { misses = 0 },
                }
            }
        }
    }

    async fn look(&self, wish: &EngineWish) -> Result<(Arc<dyn Engine>, EngineInfo), String> {
        let engine = self.engines.engine(wish).await.map_err(|error| error.to_string())?;
        match timeout(WHAT, engine.info()).await {
            Ok(Ok(info)) => Ok((engine, info)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("{} did not say what it is within {} s", engine.place(), WHAT.as_secs())),
        }
    }

    /// Asks an engine that may hang, while somebody is there; never returns.
    async fn ask(&self, engine: &Arc<dyn Engine>, info: &EngineInfo) {
        let Some(patience) = engine.patience() else { return std::future::pending().await };
        loop {
            self.presence().await;
            if engine.answers(patience).await {
                sleep(EVERY).await;
                continue;
            }
            self.say(Standing::Silent(format!("{} does not answer", engine.place())));
            while !engine.answers(HANGING).await {
                sleep(EVERY).await;
                self.presence().await;
            }
            self.say(Standing::Answers(Arc::clone(engine), info.clone()));
        }
    }

    /// Waits for the time to look whether a better engine than the one that stands in is back.
    async fn stood_in(&self, looks: u32) {
        sleep(STAND_IN * 2_u32.pow(looks.min(4))).await;
        self.presence().await;
    }

    /// Waits before the next look; a word of the editor's shortens it.
    async fn pause(&self, pauses: &Pauses, misses: u32) {
        let grown = pauses.first.saturating_mul(2_u32.saturating_pow(misses));
        sleep(grown.min(pauses.present)).await;
        let rest = grown.min(pauses.absent).saturating_sub(pauses.present);
        let _ = timeout(rest, self.presence()).await;
    }

    /// Waits until somebody is there.
    async fn presence(&self) {
        loop {
            let word = self.word.notified();
            tokio::pin!(word);
            word.as_mut().enable();
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.is_some_and(|heard| heard.elapsed() < PRESENT) {
                return;
            }
            word.await;
        }
    }

    fn say(&self, standing: Standing) {
        self.standing.send_if_modified(|now| {
            let changed = !now.is(&standing);
            *now = standing;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake::FakeEngine;

    fn watch_over(engine: &FakeEngine) -> (Health, watch::Receiver<Standing>) {
        let health = Health::new(Arc::new(engine.clone()));
        let standing = health.standing();
        (health, standing)
    }

    async fn answers(standing: &mut watch::Receiver<Standing>) -> Duration {
        let begun = Instant::now();
        standing.wait_for(|now| matches!(now, Standing::Answers(..))).await.unwrap();
        begun.elapsed()
    }

    async fn silent(standing: &mut watch::Receiver<Standing>) -> (Duration, String) {
        let begun = Instant::now();
        let now = standing.wait_for(|now| matches!(now, Standing::Silent(_))).await.unwrap();
        let Standing::Silent(reason) = &*now else { panic!("it answers") };
        (begun.elapsed(), reason.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_before_somebody_wants_to_know() {
        let engine = FakeEngine::default();
        let (health, mut standing) = watch_over(&engine);
        health.heard();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(engine.asked(), 0);
        health.want(EngineWish::default());
        answers(&mut standing).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_goes_and_comes_is_told_within_a_second() {
        let engine = FakeEngine::default();
        let (health, mut standing) = watch_over(&engine);
        health.want(EngineWish::default());
        answers(&mut standing).await;
        for _ in 0..3 {
            health.heard();
            engine.set_unreachable(Some("stopped"));
            let (took, reason) = silent(&mut standing).await;
            assert!(took < Duration::from_millis(100), "{took:?}");
            assert!(reason.contains("gone"), "{reason}");
            sleep(Duration::from_secs(20)).await;
            engine.set_unreachable(None);
            let took = answers(&mut standing).await;
            assert!(took <= Duration::from_secs(1), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_hangs_is_told_within_a_second_while_somebody_is_there() {
        let engine = FakeEngine::default();
        let (health, mut standing) = watch_over(&engine);
        health.want(EngineWish::default());
        answers(&mut standing).await;
        health.heard();
        sleep(Duration::from_secs(10)).await;
        engine.hang(true);
        let (took, reason) = silent(&mut standing).await;
        assert!(took <= Duration::from_secs(1), "{took:?}");
        assert!(reason.contains("does not answer"), "{reason}");
        engine.hang(false);
        assert!(answers(&mut standing).await <= Duration::from_secs(1));
        // Nobody is there any more: it may hang unseen, until the next word.
        sleep(Duration::from_secs(60)).await;
        engine.hang(true);
        assert!(timeout(Duration::from_secs(3600), silent(&mut standing)).await.is_err());
        health.heard();
        assert!(silent(&mut standing).await.0 <= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn with_nobody_there_an_engine_is_left_alone() {
        let engine = FakeEngine::default();
        let (health, mut standing) = watch_over(&engine);
        health.want(EngineWish::default());
        health.heard();
        answers(&mut standing).await;
        sleep(Duration::from_secs(60)).await;
        let asked = engine.asked();
        assert!(asked < 130, "{asked} questions in half a minute");
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(engine.asked(), asked, "an hour without a question");
        engine.set_unreachable(Some("stopped"));
        silent(&mut standing).await;
        sleep(Duration::from_secs(3600)).await;
        let looks = engine.asked() - asked;
        assert!((60..140).contains(&looks), "{looks} looks in an hour");
        engine.set_unreachable(None);
        health.heard();
        assert!(answers(&mut standing).await <= Duration::from_secs(1), "the next word is enough");
    }

    #[tokio::test(start_paused = true)]
    async fn other_settings_are_followed_at_once() {
        let engine = FakeEngine::default();
        engine.set_unreachable(Some("stopped"));
        let (health, mut standing) = watch_over(&engine);
        health.want(EngineWish::default());
        silent(&mut standing).await;
        sleep(Duration::from_secs(600)).await;
        engine.set_unreachable(None);
        health.want(EngineChoice::Docker.into());
        assert!(answers(&mut standing).await < Duration::from_millis(100));
    }
}
