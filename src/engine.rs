//! The engine: what makes containers. One trait, typed errors; each engine translates a [`Sandbox`] in one file.
//!
//! # Theory of operation
//!
//! An engine knows nothing of languages or programs. It starts a container that runs one command, with all its hardening
//! in place, and hands out its three streams and a handle. What is said over the streams is [`crate::run::guest`]'s.
//! Dropping a [`Container`] removes it, on every path.

pub mod calls;
pub mod docker;
pub mod embedded;
pub mod fake;
pub mod health;
pub mod ledger;
pub mod owner;
pub mod probe;
pub mod select;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use crate::plan::Sandbox;
use crate::protocol::{EngineStatus, Receipt, Stream};

/// What to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Image reference.
    pub image: String,
    /// The command of the container, not a shell's line.
    pub command: Vec<String>,
    /// What encloses it.
    pub sandbox: Sandbox,
}

/// Bytes a container printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Which stream.
    pub stream: Stream,
    /// The bytes.
    pub bytes: bytes::Bytes,
}

/// How a container ended, as its engine tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exit {
    /// Status of its first process: 128 + N when signal N ended it.
    pub status: i32,
    /// Whether the engine saw the memory limit kill a process.
    pub out_of_memory: bool,
}

/// What a container used, as its engine measures it from outside.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// CPU time in milliseconds.
    pub cpu_ms: Option<f64>,
    /// Peak memory in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Processes that the memory limit killed.
    pub oom_kills: Option<u64>,
}

/// A started container that waits for its standard input.
pub struct Container {
    /// Its standard input; shutting it down is end of file.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it prints, until both streams are closed. Bounded: an unread chunk stalls the container, not the server's memory.
    pub output: mpsc::Receiver<Chunk>,
    /// The rest of it.
    pub handle: Arc<dyn Handle>,
}

/// A hold on a container. Its removal is asked for when the last hold is dropped, if it was not before.
#[async_trait]
pub trait Handle: Send + Sync {
    /// Name that `docker ps` or a log shows.
    fn name(&self) -> &str;

    /// Waits until it has ended.
    async fn wait(&self) -> Result<Exit, EngineError>;

    /// Kills whatever runs in it and removes it; returns when it is gone. Calling it again is harmless.
    async fn remove(&self) -> Result<(), EngineError>;

    /// What really encloses it, read back from the engine.
    async fn receipt(&self) -> Result<Receipt, EngineError>;

    /// What it used, when the engine measures from outside; `None` leaves it to the measures from inside.
    async fn usage(&self) -> Option<Usage> {
        None
    }

    /// Whether it can go on when this server is gone, and so must watch its time itself.
    fn outlives_server(&self) -> bool {
        true
    }
}

/// What an engine is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineInfo {
    /// `docker` or `embedded`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it was reached.
    pub endpoint: String,
    /// What starts its containers by default.
    pub runtime: String,
}

impl From<EngineInfo> for EngineStatus {
    fn from(EngineInfo { name, version, endpoint, runtime }: EngineInfo) -> Self {
        Self { name, version, endpoint, runtime }
    }
}

/// An image the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The reference asked for.
    pub reference: String,
    /// Content digest: of the repository where it came from one, else the image's own id.
    pub digest: String,
    /// Bytes on disk.
    pub size: u64,
}

/// Progress of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PullProgress {
    /// Bytes that have come.
    pub done_bytes: u64,
    /// Bytes of all layers known so far.
    pub total_bytes: u64,
    /// Layers that are complete.
    pub done_layers: u32,
    /// Layers known so far.
    pub total_layers: u32,
}

/// An image under one of its names, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The name.
    pub reference: String,
    /// Content digest, as in [`Image`].
    pub digest: String,
    /// Bytes on disk.
    pub size: u64,
    /// How many of them it shares with other images, where that is known.
    pub shared: Option<u64>,
    /// The image that Runpen derived it from: its id.
    pub base: Option<String>,
}

/// Every derived image's reference begins so. No registry is ever asked for one.
pub const BAKED: &str = "runpen-baked/";

/// An image to derive from another one, by running a script of ours in it: see [`crate::language::Bake`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BakeSpec {
    /// Reference of the image to start from.
    pub base: String,
    /// Reference that the derived image gets.
    pub reference: String,
    /// Script for the image's `sh`, run as root without network.
    pub script: String,
    /// Environment of the script.
    pub env: Vec<(String, String)>,
}

/// What makes containers.
#[async_trait]
pub trait Engine: Send + Sync {
    /// `docker` or `embedded`. Known without asking.
    fn name(&self) -> &'static str;

    /// Where its images are: what tells it from another engine of the same kind. Known without asking.
    fn place(&self) -> String {
        self.name().to_owned()
    }

    /// What it is; fails when it does not answer.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// The image, when the engine has it.
    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError>;

    /// Fetches an image. Dropping the future stops the pull.
    async fn pull(&self, reference: &str, progress: mpsc::Sender<PullProgress>) -> Result<(), EngineError>;

    /// All images that have a name, once for each name; none where the engine keeps none.
    async fn images(&self) -> Result<Vec<Listed>, EngineError> {
        Ok(Vec::new())
    }

    /// Takes a name from an image, and deletes the image when it was the last one. Refused while a container uses it.
    async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        let reason = "this engine keeps no images".to_owned();
        Err(EngineError::Failed { operation: format!("remove image {reference}"), reason })
    }

    /// Derives an image. It gets its reference only when it is whole. Dropping the future stops the work.
    async fn bake(&self, spec: &BakeSpec) -> Result<(), EngineError>;

    /// Makes and starts a container.
    async fn start(&self, spec: &Spec) -> Result<Container, EngineError>;

    /// Waits until it is gone, and says how that showed. Costs nothing while it waits. One that cannot go never answers.
    async fn lost(&self) -> String {
        std::future::pending().await
    }

    /// How long an answer may take of an engine that may hang without a word. `None`: this one cannot, or [`Engine::lost`]
    /// tells of that too.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Whether it answers within the deadline.
    async fn answers(&self, _deadline: Duration) -> bool {
        true
    }

    /// Removes what servers that are gone have left, and says how many. Never touches a living server's.
    async fn sweep(&self) -> Result<usize, EngineError>;
}

/// Why an engine could not do something. Each reads as one line that says what failed, on what, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// Nothing answers.
    #[error("no container engine answers: {tried}; {advice}")]
    Unreachable {
        /// Each endpoint tried and its answer.
        tried: String,
        /// What to do.
        advice: String,
    },
    /// The image is not there, and cannot be fetched.
    #[error("image {image} is not here and could not be pulled: {reason}; {advice}")]
    ImageMissing {
        /// Its reference.
        image: String,
        /// What the registry or the engine said.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The image could not be fetched now; later it may.
    #[error("image {image} could not be fetched: {reason}; {advice}")]
    PullInterrupted {
        /// Its reference.
        image: String,
        /// What the registry or the engine said.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// An engine without images does not find the language on this machine.
    #[error("{reason}; {advice}")]
    ToolchainMissing {
        /// What is not where.
        reason: String,
        /// What to install.
        advice: String,
    },
    /// The image cannot run what it must.
    #[error("image {image} cannot be used: {reason}")]
    ImageUnusable {
        /// Its reference.
        image: String,
        /// What it lacks.
        reason: String,
    },
    /// The engine cannot give a control, and the settings are strict.
    #[error("{engine} cannot enforce {control} and strict is set: {advice}")]
    ControlMissing {
        /// The engine.
        engine: String,
        /// The control.
        control: String,
        /// The way to get it.
        advice: String,
    },
    /// The engine has not got the isolation that the settings demand.
    #[error("{engine} has no {isolation}; {advice}")]
    IsolationMissing {
        /// The engine.
        engine: String,
        /// What it would take.
        isolation: String,
        /// The way to get it.
        advice: String,
    },
    /// Anything else an engine says.
    #[error("failed to {operation}: {reason}")]
    Failed {
        /// What was being done, on what.
        operation: String,
        /// What the engine said.
        reason: String,
    },
}

/// Where a run gets its engine from.
#[async_trait]
pub trait Engines: Send + Sync {
    /// The engine that the settings ask for. Quick when it was found before; found anew when it stopped answering.
    async fn engine(&self, wish: &crate::config::EngineWish) -> Result<Arc<dyn Engine>, EngineError>;

    /// Whether what the settings ask for is on another machine: then asking is not done lightly.
    fn is_far(&self, _wish: &crate::config::EngineWish) -> bool {
        false
    }
}
