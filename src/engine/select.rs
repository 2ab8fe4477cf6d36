//! Which engine: the configured one, or the first that answers. It owns the connection and makes it anew when it broke.
//!
//! `auto` takes Docker when it answers quickly, else the embedded engine. What it found is kept; before it is given out
//! again, it is asked whether it still answers, unless it was asked a moment ago. Docker that the user's settings pin to an
//! address is demanded: no other takes its place.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::docker::{self, DockerEngine, Place};
use super::embedded::EmbeddedEngine;
use super::owner::Owner;
use super::{Engine, EngineError, Engines};
use crate::config::{EngineChoice, EngineWish};

/// For how long an answer counts. A run that finds the engine gone says so; this only saves a question a run.
const FRESH: Duration = Duration::from_secs(1);

/// Makes the embedded engine, or says why this machine cannot have it.
pub type MakeEmbedded = fn(&EngineWish) -> Result<Arc<dyn Engine>, EngineError>;

/// Finds engines and keeps what it found.
pub struct Selector {
    owner: Arc<Owner>,
    /// Absent: looked up each time, since a socket may appear where there was none.
    places: Option<Vec<Place>>,
    make_embedded: MakeEmbedded,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    docker: Option<(Vec<Place>, Arc<DockerEngine>, Instant)>,
    /// With the folders of toolchains that it shows.
    embedded: Option<(Vec<PathBuf>, Arc<dyn Engine>)>,
}

impl Selector {
    /// A selector whose containers belong to `owner`.
    #[must_use]
    pub fn new(owner: Arc<Owner>, make_embedded: MakeEmbedded) -> Self {
        Self { owner, places: None, make_embedded, found: Mutex::new(Found::default()) }
    }

    /// The same, looking for Docker at these endpoints only.
    #[must_use]
    pub fn at(mut self, endpoints: Vec<String>) -> Self {
        self.places = Some(endpoints.into_iter().map(|endpoint| Place::new(endpoint, "given")).collect());
        self
    }

    fn places(&self, wish: &EngineWish) -> Vec<Place> {
        self.places.clone().unwrap_or_else(|| docker::places(wish).usable())
    }

    async fn docker(
        &self,
        found: &mut Found,
        wish: &EngineWish,
        deadline: Duration,
    ) -> Result<Arc<dyn Engine>, EngineError> {
        let places = self.places(wish);
        if let Some((here, engine, asked)) = &mut found.docker {
            let fresh = asked.elapsed() < FRESH && !engine.is_lost();
            if *here == places && (fresh || engine.answers(deadline).await) {
                *asked = Instant::now();
                return Ok(Arc::clone(engine) as Arc<dyn Engine>);
            }
            found.docker = None;
        }
        let engine = DockerEngine::connect_to(&places, Arc::clone(&self.owner), deadline).await.0;
        let engine = Arc::new(engine?);
        found.docker = Some((places, Arc::clone(&engine), Instant::now()));
        Ok(engine)
    }

    fn embedded(&self, found: &mut Found, wish: &EngineWish) -> Result<Arc<dyn Engine>, EngineError> {
        if let Some((toolchains, engine)) = &found.embedded
            && *toolchains == wish.toolchains
        {
            return Ok(Arc::clone(engine));
        }
        let engine = (self.make_embedded)(wish)?;
        found.embedded = Some((wish.toolchains.clone(), Arc::clone(&engine)));
        Ok(engine)
    }
}

#[async_trait]
impl Engines for Selector {
    fn is_far(&self, wish: &EngineWish) -> bool {
        wish.choice != EngineChoice::Embedded && self.places(wish).iter().any(Place::is_far)
    }

    async fn engine(&self, wish: &EngineWish) -> Result<Arc<dyn Engine>, EngineError> {
        let mut found = self.found.lock().await;
        match wish.choice {
            EngineChoice::Embedded => self.embedded(&mut found, wish),
            EngineChoice::Docker => self.docker(&mut found, wish, docker::PATIENT).await,
            EngineChoice::Auto if wish.docker_host.is_some() || wish.docker_context.is_some() => {
                self.docker(&mut found, wish, docker::PATIENT).await
            }
            EngineChoice::Auto => match self.docker(&mut found, wish, docker::QUICK).await {
                Ok(engine) => Ok(engine),
                Err(unreachable) => self.embedded(&mut found, wish).map_err(|embedded| both(unreachable, &embedded)),
            },
        }
    }
}

/// Neither: what Docker said counts, and why the other one is no help.
fn both(docker: EngineError, embedded: &EngineError) -> EngineError {
    match (docker, embedded) {
        (EngineError::Unreachable { tried, advice }, EngineError::Unreachable { tried: second, .. }) => {
            EngineError::Unreachable { tried: format!("{tried}, {second}"), advice }
        }
        (EngineError::Unreachable { tried, advice }, second) => {
            EngineError::Unreachable { tried: format!("{tried}, embedded ({second})"), advice }
        }
        (other, _) => other,
    }
}

/// The embedded engine of this machine.
pub fn embedded(wish: &EngineWish) -> Result<Arc<dyn Engine>, EngineError> {
    Ok(Arc::new(EmbeddedEngine::new(&wish.toolchains)?))
}

/// No embedded engine, whatever the machine could do: for tests of Docker alone.
pub fn no_embedded(_: &EngineWish) -> Result<Arc<dyn Engine>, EngineError> {
    Err(EngineError::Unreachable { tried: "embedded (left out)".to_owned(), advice: "use Docker".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn neither_engine_says_so_for_both_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Arc::new(Owner::claim_in(folder.path()).unwrap());
        let selector = Selector::new(owner, no_embedded).at(vec!["unix:///nonexistent.sock".to_owned()]);
        let Err(error) = selector.engine(&EngineChoice::Auto.into()).await else { panic!("an engine") };
        let text = error.to_string();
        assert!(text.contains("unix:///nonexistent.sock (no such socket), embedded (left out"), "{text}");
        assert!(!text.contains('\n'));
        assert!(selector.engine(&EngineChoice::Docker.into()).await.is_err());
        assert!(selector.engine(&EngineChoice::Embedded.into()).await.is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_daemon_that_does_not_answer_is_left_quickly_unless_it_is_demanded() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Arc::new(Owner::claim_in(folder.path()).unwrap());
        let socket = folder.path().join("docker.sock");
        // It takes calls and says nothing.
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let selector = Selector::new(owner, |_| Ok(Arc::new(crate::engine::fake::FakeEngine::default())))
            .at(vec![format!("unix://{}", socket.display())]);
        let begun = Instant::now();
        let engine = selector.engine(&EngineChoice::Auto.into()).await.unwrap();
        assert_eq!(engine.name(), crate::engine::fake::FakeEngine::default().name());
        let quick = begun.elapsed();
        assert!(quick >= docker::QUICK, "{quick:?}");
        assert!(selector.engine(&EngineChoice::Docker.into()).await.is_err(), "another took its place");
        assert!(begun.elapsed() >= quick + docker::PATIENT, "what is demanded gets its time");
    }
}
