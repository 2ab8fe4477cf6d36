//! Docker, and whatever speaks its API. The only code that names bollard.
//!
//! | file | owns |
//! |---|---|
//! | `find` | where an engine may be |
//! | `connect` | which one answers |
//! | `far`, `tls`, `pulse` | links to another machine |
//! | `events` | whether it still stands |
//! | `hardening`, `seccomp`, `runtime`, `podman` | sandbox → what the engine is told; nowhere else is a container's enclosure written |
//! | `container` | one container: create, attach, start, watch |
//! | `stream` | its three streams |
//! | `bake` | deriving an image |
//! | `inspect` | looking at a container |
//! | `receipt` | what really encloses it, read back |
//! | `image` | looking up, fetching |
//! | `refusal` | why an image could not be fetched, and whether trying again may help |
//! | `credentials` | the user's Docker credentials for a registry |
//! | `images` | listing, removing |
//! | `reap` | removing: on purpose, when forgotten, after a crash |
//! | `error` | bollard's errors in our words, deadlines |
//!
//! It must not know languages, programs, runs or documents.

mod bake;
mod connect;
mod container;
mod credentials;
mod error;
mod events;
mod far;
mod find;
mod hardening;
mod image;
mod images;
mod inspect;
mod podman;
mod pulse;
mod reap;
mod receipt;
mod refusal;
mod runtime;
mod seccomp;
mod stream;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OnceCell, mpsc};

use self::connect::Kind;
pub use self::connect::{Attempt, PATIENT, QUICK};
use self::error::{failed, reason, within};
use self::far::Raw;
pub use self::find::{Place, Places, places};
use self::pulse::Pulse;
pub use self::reap::{HOST_LABEL, OWNER_LABEL, VERSION_LABEL};
use super::owner::Owner;
use super::{BakeSpec, Container, Engine, EngineError, EngineInfo, Image, Listed, PullProgress, Spec};
use crate::config::EngineWish;

/// An engine that answered. Cheap to clone.
#[derive(Clone)]
pub struct DockerEngine {
    shared: Arc<Shared>,
}

/// What all containers of one connection share.
struct Shared {
    client: bollard::Docker,
    endpoint: String,
    version: String,
    kind: Kind,
    raw: Option<Raw>,
    pulse: Pulse,
    /// Its events ended and it did not answer: no run need ask again.
    gone: AtomicBool,
    owner: Arc<Owner>,
    about: OnceCell<About>,
}

/// What the engine says of itself and every container needs: asked once, since it costs the engine 10 ms and more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct About {
    runtime: String,
    /// Name of its default system-call filter.
    seccomp: Option<String>,
    swap_limit: bool,
    limits: Limits,
    /// Names of the runtimes it lists, with the program of each where it says so.
    runtimes: Vec<(String, Option<String>)>,
}

/// Which other limits it can set at all. One that cannot still repeats what it was asked for when a container is looked at:
/// Docker of an ordinary user on cgroup v1 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    memory: bool,
    cpu: bool,
    pids: bool,
}

impl Shared {
    /// Whether the engine is on this machine, and its files are ours to see.
    fn is_near(&self) -> bool {
        self.endpoint.starts_with("unix://")
    }

    fn is_lost(&self) -> bool {
        self.pulse.is_lost() || self.gone.load(Ordering::Acquire)
    }

    /// Whether it still answers within the deadline. One on another machine is asked all the time, and asking it once more
    /// would cost every run a round trip.
    async fn answers(&self, deadline: Duration) -> bool {
        if self.pulse.watches() { !self.is_lost() } else { self.pings(deadline).await }
    }

    /// Asks it.
    async fn pings(&self, deadline: Duration) -> bool {
        matches!(tokio::time::timeout(deadline, self.client.ping()).await, Ok(Ok(_)))
    }

    /// Gives up when the link is lost, whatever is waited for.
    async fn linked<T>(&self, work: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        tokio::select! {
            done = work => done,
            () = self.pulse.lost() => Err(self.link_lost()),
        }
    }

    fn link_lost(&self) -> EngineError {
        failed(format!("keep the link to {}", self.endpoint), "it does not answer any more")
    }

    /// A name that no other container has.
    fn next_name(&self) -> String {
        self.owner.next_name()
    }

    async fn about(&self) -> Result<&About, EngineError> {
        let ask = || async {
            let info = within(self.client.info())
                .await
                .map_err(|error| failed(format!("ask {} what it is", self.endpoint), reason(&error)))?;
            let seccomp = info.security_options.iter().flatten().find_map(|option| {
                let fields: Vec<_> = option.split(',').collect();
                fields.contains(&"name=seccomp").then(|| {
                    let profile = fields.iter().find_map(|field| field.strip_prefix("profile="));
                    profile.unwrap_or("default").to_owned()
                })
            });
            Ok(About {
                runtime: info.default_runtime.unwrap_or_else(|| "unknown".to_owned()),
                seccomp,
                swap_limit: info.swap_limit.unwrap_or(false),
                limits: Limits {
                    memory: info.memory_limit.unwrap_or(true),
                    cpu: info.cpu_cfs_quota.unwrap_or(true),
                    pids: info.pids_limit.unwrap_or(true),
                },
                runtimes: info.runtimes.into_iter().flatten().map(|(name, runtime)| (name, runtime.path)).collect(),
            })
        };
        self.about.get_or_try_init(ask).await
    }
}

impl DockerEngine {
    /// The best engine that answers within the deadline ([`QUICK`] or [`PATIENT`]).
    pub async fn connect(owner: Arc<Owner>, deadline: Duration) -> Result<Self, EngineError> {
        let places = places(&EngineWish::default()).usable();
        Self::connect_to(&places, owner, deadline).await.0
    }

    /// The best of some places, and what each of them answered.
    pub async fn connect_to(
        places: &[Place],
        owner: Arc<Owner>,
        deadline: Duration,
    ) -> (Result<Self, EngineError>, Vec<Attempt>) {
        let (connection, attempts) = connect::connect(places, deadline).await;
        let engine = connection.ok_or_else(|| connect::unreachable(&attempts)).map(|connection| {
            let connect::Connection { client, endpoint, version, kind, signs, raw } = connection;
            let pulse = signs.map_or_else(Pulse::none, |signs| Pulse::watch(client.clone(), signs));
            let (gone, about) = (AtomicBool::new(false), OnceCell::new());
            let shared = Shared { client, endpoint, version, kind, raw, pulse, gone, owner, about };
            Self { shared: Arc::new(shared) }
        });
        if let Ok(engine) = &engine {
            reap::settle(&engine.shared);
        }
        (engine, attempts)
    }

    /// Whether it is known to be gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.shared.is_lost()
    }

    /// Where it was reached.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.shared.endpoint
    }
}

#[async_trait]
impl Engine for DockerEngine {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn place(&self) -> String {
        self.shared.endpoint.clone()
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        // Asked for itself: that it answered once does not mean that it answers now.
        within(self.shared.client.ping())
            .await
            .map_err(|error| failed(format!("ask {} whether it is there", self.shared.endpoint), reason(&error)))?;
        Ok(EngineInfo {
            name: self.name().to_owned(),
            version: self.shared.version.clone(),
            endpoint: self.shared.endpoint.clone(),
            runtime: self.shared.about().await?.runtime.clone(),
        })
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        let look = image::inspect(&self.shared.client, reference);
        Ok(self.shared.linked(look).await?.map(|facts| facts.image))
    }

    async fn pull(&self, reference: &str, progress: mpsc::Sender<PullProgress>) -> Result<(), EngineError> {
        self.shared.linked(image::pull(&self.shared.client, reference, &progress)).await
    }

    async fn images(&self) -> Result<Vec<Listed>, EngineError> {
        images::list(&self.shared.client).await
    }

    async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        images::remove(&self.shared.client, reference).await
    }

    async fn bake(&self, spec: &BakeSpec) -> Result<(), EngineError> {
        self.shared.linked(Box::pin(bake::bake(&self.shared, spec))).await
    }

    async fn start(&self, spec: &Spec) -> Result<Container, EngineError> {
        // A task of its own, for a caller that goes away in the middle to leave nothing behind.
        let making = tokio::spawn(container::start(Arc::clone(&self.shared), spec.clone()));
        making.await.unwrap_or_else(|error| Err(failed("start a container", error.to_string())))
    }

    async fn lost(&self) -> String {
        tokio::select! {
            () = self.shared.pulse.lost() => {}
            () = events::end(&self.shared) => self.shared.gone.store(true, Ordering::Release),
        }
        format!("{} does not answer any more", self.shared.endpoint)
    }

    fn patience(&self) -> Option<Duration> {
        // One far away is asked by its pulse.
        (!self.shared.pulse.watches()).then_some(events::ANSWER)
    }

    async fn answers(&self, deadline: Duration) -> bool {
        self.shared.answers(deadline).await
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        let Some(folder) = self.shared.owner.folder() else { return Ok(0) };
        reap::sweep(&self.shared.client, &self.shared.endpoint, &folder).await
    }
}
