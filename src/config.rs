//! Layered settings. Built-in, the user's file, the editor's user settings and flags may say anything; a project's file
//! and workspace settings may only tighten.

mod units;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::units::{Cpus, Size, Span};
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
}

impl Default for Warm {
    fn default() -> Self {
        Self {
            enabled: true,
            per_language: 2,
            memory: Size::mib(512),
            idle_timeout: Span(Duration::from_secs(15 * 60)),
        }
    }
}

/// Settings after all layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which engine.
    pub engine: EngineChoice,
    /// Refuse to run when the engine cannot give a control.
    pub strict: bool,
    /// Wall time of the run step.
    pub timeout: Span,
    /// Wall time of the compile step.
    pub compile_timeout: Span,
    /// Memory of the run step; the language's own without it.
    pub memory: Option<Size>,
    /// CPU share of the run step.
    pub cpus: Cpus,
    /// Processes and threads of the run step; the language's own without it.
    pub pids: Option<u32>,
    /// Bytes a stream.
    pub output_limit: Size,
    /// Network.
    pub network: Network,
    /// Containers that wait ahead of need.
    pub warm: Warm,
    /// Environment of the program.
    pub env: BTreeMap<String, String>,
    /// The table of languages.
    pub languages: Languages,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineChoice::Auto,
            strict: false,
            timeout: Span(Duration::from_secs(10)),
            compile_timeout: Span(Duration::from_secs(30)),
            memory: None,
            cpus: Cpus::from_milli(500),
            pids: None,
            output_limit: Size::mib(1),
            network: Network::None,
            warm: Warm::default(),
            env: BTreeMap::new(),
            languages: Languages::built_in().clone(),
        }
    }
}

impl Settings {
    /// Memory of the run step of a language.
    #[must_use]
    pub fn memory_for(&self, language: &Language) -> Size {
        self.memory.unwrap_or(language.memory)
    }

    /// CPU share of a compile step in thousandths of a core: compilers are trusted more than what they compile, and
    /// nobody waits for half a core's worth of Go.
    #[must_use]
    pub fn compile_milli_cpus(&self) -> u32 {
        self.cpus.milli().max(2000)
    }
}
