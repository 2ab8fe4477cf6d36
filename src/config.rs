//! Layered settings. It knows no engine and no LSP; what reads files is `config/files.rs` alone.
//!
//! # Layers, later over earlier
//!
//! 1. built-in,
//! 2. the user's file: `RUNPEN_CONFIG` where that is set, else `runpen/config.toml` in the configuration folder,
//! 3. the editor's user settings,
//! 4. command-line flags, or a command's arguments: they are the user's own and may say anything;
//! 5. the project's `.runpen.toml`, then workspace settings: these may only tighten.
//!
//! A repository cloned a minute ago gives itself no network, no memory and no image. What it may do: lower `timeout`,
//! `compile-timeout`, `memory`, `cpus`, `pids` and `output-limit`; say `strict = true`, `network = "none"`, a stronger
//! `isolation`; choose an `engine` where the user left it to `auto`. Everything else in it is a warning that names key, file
//! and line, and has no effect. Where the project wants a limit lowered and writes it wrongly, nothing runs: the error says
//! where.
//!
//! The nearest `.runpen.toml` is taken, from the document's folder upward. The search ends at the workspace folder, at the
//! root of the repository (a folder with `.git`), or at the user's home, whichever comes first; what lies above belongs to
//! somebody else.
//!
//! `timeout` is 10 s; that it is 30 s at most unless the user says more follows from who may say more: layers 2 to 4.
//!
//! `memory` and `pids` of a language's own row win over the general ones of the same layer and of those before it; a later
//! general one (`--memory`) wins over both.

mod check;
mod files;
mod languages;
mod layer;
mod merge;
mod parse;
#[cfg(test)]
mod tests;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::files::{project_file, user_file};
pub use self::layer::{CompileLayer, LanguageLayer, Layer, MetricsLayer, StepsLayer, WarmLayer, schema};
pub use self::units::{Cpus, Size, Span, UnitError};
use crate::language::{Language, Languages};
use crate::plan::Network;

/// Which engine runs things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// Docker, or what speaks its API, when it answers; else the embedded one.
    #[default]
    Auto,
    /// Docker and no other.
    Docker,
    /// Linux namespaces without a daemon, and no other.
    Embedded,
}

/// Which engine, and where. A project chooses among the kinds at most: an address is the user's own to give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineWish {
    /// Which kind.
    pub choice: EngineChoice,
    /// Docker's address.
    pub docker_host: Option<String>,
    /// Or the name of a Docker context.
    pub docker_context: Option<String>,
    /// Folders of toolchains that the embedded engine shows beside `/usr`.
    pub toolchains: Vec<PathBuf>,
}

impl From<EngineChoice> for EngineWish {
    fn from(choice: EngineChoice) -> Self {
        Self { choice, ..Self::default() }
    }
}

/// What stands between the program and the machine's kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// The engine's default runtime: namespaces, no capabilities, filtered system calls.
    #[default]
    None,
    /// The strongest that the engine offers.
    Auto,
    /// gVisor (`runsc`), and nothing runs without it.
    Gvisor,
    /// Kata Containers, and nothing runs without them.
    Kata,
}

/// Containers that wait ahead of need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warm {
    /// Whether any do.
    pub enabled: bool,
    /// How many for each step of a language in use.
    pub per_language: u32,
    /// Memory that all of them together may hold.
    pub memory: Size,
    /// How long a language may go unused before its containers are let go.
    pub idle_timeout: Span,
    /// Whether images that open documents need are fetched ahead.
    pub pull: bool,
}

impl Default for Warm {
    fn default() -> Self {
        Self {
            enabled: true,
            per_language: 2,
            memory: Size::mib(512),
            idle_timeout: Span(Duration::from_secs(15 * 60)),
            pull: true,
        }
    }
}

/// Settings after all layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which engine.
    pub engine: EngineChoice,
    /// Docker's address, where the user's own settings pin one.
    pub docker_host: Option<String>,
    /// The Docker context, where they pin that.
    pub docker_context: Option<String>,
    /// Folders of toolchains outside `/usr` that the embedded engine may use.
    pub toolchains: Vec<PathBuf>,
    /// What stands between the program and the kernel.
    pub isolation: Isolation,
    /// Refuse to run when the engine cannot give a control.
    pub strict: bool,
    /// Wall time of the run step.
    pub timeout: Span,
    /// Wall time of the compile step.
    pub compile_timeout: Span,
    /// Memory of the run step; the language's own without it. Ask [`Settings::memory_for`].
    pub memory: Option<Size>,
    /// CPU share of the run step.
    pub cpus: Cpus,
    /// Processes and threads of the run step; the language's own without it. Ask [`Settings::pids_for`].
    pub pids: Option<u32>,
    /// Bytes a stream.
    pub output_limit: Size,
    /// Network.
    pub network: Network,
    /// Containers that wait ahead of need.
    pub warm: Warm,
    /// Where a Prometheus may ask for the counters.
    pub metrics_listen: Option<SocketAddr>,
    /// Environment of the program.
    pub env: BTreeMap<String, String>,
    /// The table of languages.
    pub languages: Languages,
    /// Limits that a project has lowered, whatever the language says.
    pub ceilings: Ceilings,
    /// Where each value comes from that is not built in: dotted key → `file:line`, or the name of the layer.
    pub sources: BTreeMap<String, String>,
    /// Languages whose own row says more than the general setting; by limit.
    pub own: OwnLimits,
}

/// Limits that hold for every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ceilings {
    /// Most memory of a run step.
    pub memory: Option<Size>,
    /// Most processes and threads of a run step.
    pub pids: Option<u32>,
}

/// Names of the languages whose row was given a limit after the general setting was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnLimits {
    /// Those with memory of their own.
    pub memory: BTreeSet<String>,
    /// Those with a number of processes of their own.
    pub pids: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineChoice::Auto,
            docker_host: None,
            docker_context: None,
            toolchains: Vec::new(),
            isolation: Isolation::None,
            strict: false,
            timeout: Span(Duration::from_secs(10)),
            compile_timeout: Span(Duration::from_secs(30)),
            memory: None,
            cpus: Cpus::from_milli(500),
            pids: None,
            output_limit: Size::mib(1),
            network: Network::None,
            warm: Warm::default(),
            metrics_listen: None,
            env: BTreeMap::new(),
            languages: Languages::built_in().clone(),
            ceilings: Ceilings::default(),
            sources: BTreeMap::new(),
            own: OwnLimits::default(),
        }
    }
}

impl Settings {
    /// Which engine, and where.
    #[must_use]
    pub fn engine_wish(&self) -> EngineWish {
        let (docker_host, docker_context) = (self.docker_host.clone(), self.docker_context.clone());
        EngineWish { choice: self.engine, docker_host, docker_context, toolchains: self.toolchains.clone() }
    }

    /// Memory of the run step of a language.
    #[must_use]
    pub fn memory_for(&self, language: &Language) -> Size {
        let general = self.memory.filter(|_| !self.own.memory.contains(&language.name));
        let memory = general.unwrap_or(language.memory);
        self.ceilings.memory.map_or(memory, |most| memory.min(most))
    }

    /// Processes and threads of the run step of a language.
    #[must_use]
    pub fn pids_for(&self, language: &Language) -> u32 {
        let general = self.pids.filter(|_| !self.own.pids.contains(&language.name));
        let pids = general.unwrap_or(language.pids);
        self.ceilings.pids.map_or(pids, |most| pids.min(most))
    }

    /// Where [`Settings::memory_for`] and [`Settings::pids_for`] take a language's limit from: the row's own value or the
    /// general one.
    #[must_use]
    pub fn limit_sources(&self, language: &Language) -> (&str, &str) {
        let source = |key: &str, own: bool| {
            if own { self.source(&format!("languages.{}.{key}", language.name)) } else { self.source(key) }
        };
        let name = &language.name;
        let memory = self.memory.is_none() || self.own.memory.contains(name);
        let pids = self.pids.is_none() || self.own.pids.contains(name);
        (
            source("memory", memory && self.memory_for(language) == language.memory),
            source("pids", pids && self.pids_for(language) == language.pids),
        )
    }

    /// Where a value comes from: `built-in`, `file:line`, or the name of a layer.
    #[must_use]
    pub fn source(&self, key: &str) -> &str {
        self.sources.get(key).map_or("built-in", String::as_str)
    }

    /// CPU share of a compile step in thousandths of a core: compilers are trusted more than what they compile, and
    /// nobody waits for half a core's worth of Go.
    #[must_use]
    pub fn compile_milli_cpus(&self) -> u32 {
        self.cpus.milli().max(2000)
    }
}

/// Everything that settings come from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The user's file, where [`user_file`] names one.
    pub user: Option<&'a Path>,
    /// The editor's user settings: the object of the section `runpen`.
    pub editor: Option<&'a serde_json::Value>,
    /// Flags or arguments of a command.
    pub flags: Option<&'a Layer>,
    /// The project's file, where [`project_file`] finds one.
    pub project: Option<&'a Path>,
    /// Workspace settings: the object of the section `runpen`.
    pub workspace: Option<&'a serde_json::Value>,
}

/// Settings, and what the user should hear about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Unknown keys, and what a project may not do. One line each.
    pub warnings: Vec<Warning>,
}

/// Something in a source of settings that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `file:line`, or the name of the layer.
    pub place: String,
    /// What, and why.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("failed to read the configuration {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It is no TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// `file:line`.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is none of those that the setting takes.
    #[error("{place}: {key}: {reason}")]
    Value {
        /// `file:line`, or the name of the layer.
        place: String,
        /// The dotted key.
        key: String,
        /// What is wrong, and what is wanted.
        reason: String,
    },
}

/// Reads and merges all layers.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, ConfigError> {
    let mut merge = merge::Merge::default();
    if let Some(path) = sources.user {
        merge.apply(parse::toml(&path.display().to_string(), &files::read(path)?)?)?;
    }
    if let Some(value) = sources.editor {
        merge.apply(parse::json("editor settings", value)?)?;
    }
    if let Some(flags) = sources.flags {
        merge.apply(parse::layer("command line", flags)?)?;
    }
    if let Some(path) = sources.project {
        merge.tighten(parse::toml(&path.display().to_string(), &files::read(path)?)?);
    }
    if let Some(value) = sources.workspace {
        merge.tighten(parse::json("workspace settings", value)?);
    }
    Ok(merge.finish())
}
