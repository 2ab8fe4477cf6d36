//! What a server says of itself to its user beside the editor: `runpen status`, and to a Prometheus that the user has set up.
//!
//! | file | owns |
//! |---|---|
//! | `socket` | the way from one process of the user's to another |
//! | `exporter` | HTTP on loopback |
//! | `exposition` | the counters in Prometheus's text format, pure |
//!
//! Nothing here changes anything: there is no order that either of them takes.

pub mod exporter;
mod exposition;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
#[path = "status/nowhere.rs"]
mod socket;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use self::exposition::text;
pub use self::socket::{ask_all, serve};
use crate::engine::health::{Health, Standing};
use crate::metrics::Counts;
use crate::protocol::{EngineStatus, PoolStatus, RunStatus};
use crate::run::Manager;

/// One server, as it is now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerStatus {
    /// Its process.
    pub pid: u32,
    /// Version of Runpen.
    pub version: String,
    /// When it began, in seconds since 1970.
    pub started_at: u64,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// The engine, when it was asked for and answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
    /// Why it does not, or why the server itself does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Containers that wait.
    pub pool: Vec<PoolStatus>,
    /// Runs in flight.
    pub runs: Vec<RunStatus>,
    /// What was counted.
    pub metrics: Counts,
    /// Where Prometheus may ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_endpoint: Option<String>,
}

/// Where a server's status is taken from. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    manager: Manager,
    health: Arc<Health>,
    exporter: Arc<exporter::Exporter>,
    began: Instant,
}

impl Source {
    /// The status of this process.
    #[must_use]
    pub fn new(manager: Manager, health: Arc<Health>, exporter: Arc<exporter::Exporter>, began: Instant) -> Self {
        Self { manager, health, exporter, began }
    }

    /// As it is now. Asks nobody.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        let (engine, error) = match self.health.standing().borrow().clone() {
            Standing::Unknown => (None, None),
            Standing::Answers(_, info) => (Some(info.into()), None),
            Standing::Silent(reason) => (None, Some(reason)),
        };
        let uptime_seconds = self.began.elapsed().as_secs();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        ServerStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now.saturating_sub(uptime_seconds),
            uptime_seconds,
            engine,
            error,
            pool: self.manager.pool(),
            runs: self.manager.runs(),
            metrics: self.manager.metrics().counts(),
            metrics_endpoint: self.exporter.address().map(|address| format!("http://{address}/metrics")),
        }
    }
}
