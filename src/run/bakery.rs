//! Toolchain caches: what a compiler would do anew in every fresh container is done once per image and kept in a derived one.
//!
//! # Theory of operation
//!
//! A language's row may have a [`Bake`]. The derived image's name holds the digest of its base and a hash of the recipe,
//! so a base that changed, or another version of Runpen, finds none and makes its own; nothing is ever written into an
//! image that runs use. Until it is ready runs use the base, save where that would take as long as the bake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::ledger::Ledger;
use crate::engine::{BAKED, BakeSpec, Engine};
use crate::fingerprint::fingerprint;
use crate::language::{Bake, Language};

/// For how long an answer of the engine on images counts.
const FRESH: Duration = Duration::from_secs(30);

/// A bake that failed is not tried again for this long.
const PAUSE: Duration = Duration::from_secs(600);

/// How a derived image stands.
#[derive(Clone)]
enum Stand {
    /// It is there; its reference.
    Ready(String, Instant),
    /// It is being made.
    Baking(watch::Receiver<bool>),
    /// It could not be made.
    Failed(Instant),
}

/// Keeps derived images. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bakery {
    stands: Arc<Mutex<HashMap<(String, String), Stand>>>,
    tasks: TaskTracker,
    closed: CancellationToken,
    ledger: Ledger,
}

impl Bakery {
    pub(super) fn new(tasks: TaskTracker, ledger: Ledger) -> Self {
        Self { stands: Arc::default(), tasks, closed: CancellationToken::new(), ledger }
    }

    /// Stops what is being made.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    /// The language as it is best run now: on its derived image when that is ready. `begin` lets one be made in the
    /// background; `waiting` is called once when the caller has to wait for it.
    pub(super) async fn best(
        &self,
        engine: &Arc<dyn Engine>,
        language: &Language,
        begin: bool,
        waiting: impl Future<Output = ()>,
    ) -> Language {
        let Some(bake) = language.bake.as_ref().filter(|_| engine.name() != "embedded") else {
            return language.clone();
        };
        let key = (language.name.clone(), language.image.clone());
        let known = self.lock().get(&key).cloned();
        let stand = match known {
            Some(Stand::Ready(reference, seen)) if seen.elapsed() < FRESH => return baked(language, bake, reference),
            Some(Stand::Failed(when)) if when.elapsed() < PAUSE => return language.clone(),
            Some(Stand::Baking(done)) if !*done.borrow() => Some(Stand::Baking(done)),
            _ => self.look(engine, language, bake, &key, begin || bake.wait).await,
        };
        match stand {
            Some(Stand::Ready(reference, _)) => baked(language, bake, reference),
            Some(Stand::Baking(mut done)) if bake.wait => {
                waiting.await;
                let _ = done.wait_for(|done| *done).await;
                match self.lock().get(&key) {
                    Some(Stand::Ready(reference, _)) => baked(language, bake, reference.clone()),
                    _ => language.clone(),
                }
            }
            _ => language.clone(),
        }
    }

    /// Asks the engine, and begins a bake when there is no derived image.
    async fn look(
        &self,
        engine: &Arc<dyn Engine>,
        language: &Language,
        bake: &Bake,
        key: &(String, String),
        begin: bool,
    ) -> Option<Stand> {
        // Without the base there is nothing to derive from: the run pulls it first.
        let base = engine.image(&language.image).await.ok()??;
        let reference = reference(language, bake, &base.digest);
        if engine.image(&reference).await.ok()?.is_some() {
            let ready = Stand::Ready(reference, Instant::now());
            self.lock().insert(key.clone(), ready.clone());
            return Some(ready);
        }
        if !begin {
            return None;
        }
        let mut stands = self.lock();
        if let Some(Stand::Baking(done)) =
            stands.get(key).filter(|stand| matches!(stand, Stand::Baking(done) if !*done.borrow()))
        {
            return Some(Stand::Baking(done.clone()));
        }
        let (done, stand) = watch::channel(false);
        stands.insert(key.clone(), Stand::Baking(stand.clone()));
        drop(stands);
        let spec = BakeSpec {
            base: language.image.clone(),
            reference,
            script: bake.script.clone(),
            env: environment(language, bake),
        };
        let (bakery, engine, key) = (self.clone(), Arc::clone(engine), key.clone());
        self.tasks.spawn(async move {
            let begun = Instant::now();
            let made = bakery.closed.run_until_cancelled(engine.bake(&spec)).await;
            let stand = match made {
                Some(Ok(())) => {
                    if let Ok(Some(image)) = engine.image(&spec.reference).await {
                        bakery.ledger.brought(&engine.place(), &spec.reference, &image.digest);
                    }
                    tracing::info!(image = spec.reference, seconds = begun.elapsed().as_secs(), "prepared a toolchain");
                    Stand::Ready(spec.reference, Instant::now())
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "a toolchain could not be prepared; runs use the image as it is");
                    Stand::Failed(Instant::now())
                }
                None => Stand::Failed(Instant::now()),
            };
            bakery.lock().insert(key, stand);
            let _ = done.send(true);
        });
        Some(Stand::Baking(stand))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Stand>> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn environment(language: &Language, bake: &Bake) -> Vec<(String, String)> {
    let mut env = language.env.clone();
    env.extend(bake.env.clone());
    env.into_iter().collect()
}

/// The language on its derived image.
fn baked(language: &Language, bake: &Bake, reference: String) -> Language {
    let mut language = language.clone();
    language.image = reference;
    // What is derived is not derived from again.
    language.bake = None;
    language.env = environment(&language, bake).into_iter().collect();
    if let Some(compile) = language.steps.compile.as_mut().filter(|compile| !compile.is_empty()) {
        compile.splice(1..1, bake.compile_flags.iter().cloned());
        compile.splice(0..0, bake.compile_through.clone());
    }
    language
}

/// Name of the image that is derived for a language from a base with this digest, when one is.
#[must_use]
pub fn derived(language: &Language, digest: &str) -> Option<String> {
    language.bake.as_ref().map(|bake| reference(language, bake, digest))
}

/// Name of the derived image: of this base, by this recipe, and no other.
fn reference(language: &Language, bake: &Bake, digest: &str) -> String {
    let recipe = format!("{:?}", (&bake.script, environment(language, bake), &language.steps));
    let hash = fingerprint([digest.as_bytes(), recipe.as_bytes()]);
    let digest: String = digest.rsplit(':').next().unwrap_or(digest).chars().take(12).collect();
    let name: String = language.name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    format!("{BAKED}{name}:{digest}-{}", &hash[..16])
}
