//! One layer of settings, as it is written: every field may be absent. The one schema behind TOML, the editor's JSON, the
//! command line's flags and `runpen schema`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{Cpus, Size, Span, output_size};
use super::{EngineChoice, Isolation};
use crate::language::{BootKind, Frame, ReportFormat, Selections, Step};
use crate::plan::Network;

/// Settings of Runpen. TOML keys are kebab-case; an editor's settings have the same keys in camelCase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of settings")]
#[schemars(title = "Runpen")]
pub struct Layer {
    /// Which engine runs things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineChoice>,
    /// Where Docker is: `unix:///path`, `tcp://host:port` or `ssh://host`. The user's own to say, not a project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_host: Option<String>,
    /// The Docker context to use, in place of an address. The user's own to say, not a project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_context: Option<String>,
    /// Folders of toolchains outside `/usr` that the embedded engine may use: a folder with a `bin`, or the home of pyenv, nvm,
    /// rustup or SDKMAN, such as `~/.pyenv`. The user's own to say, not a project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchains: Option<Vec<PathBuf>>,
    /// What stands between the program and the machine's kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Refuse to run when the engine cannot give a control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Wall time of the run step, 10s by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Wall time of the compile step, 30s by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_timeout: Option<Span>,
    /// Memory of the run step; the language's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// CPU share of the run step in cores, 0.5 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// Processes and threads of the run step; the language's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32768))]
    pub pids: Option<u32>,
    /// Bytes that a stream may print, 1M by default, from 1K up.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "output_size")]
    pub output_limit: Option<Size>,
    /// Network: none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Environment of the program.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Containers that wait ahead of need.
    pub warm: WarmLayer,
    /// Counters for a Prometheus on this machine. The user's own to say, not a project's.
    pub metrics: MetricsLayer,
    /// Rows of the table of languages, each laid over the built-in row of that name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<String, LanguageLayer>,
}

/// Containers that wait ahead of need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of settings")]
pub struct WarmLayer {
    /// Whether any do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How many for each step of a language in use, 2 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 64))]
    pub per_language: Option<u32>,
    /// Memory that all of them together may hold, 512M by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// How long a language may go unused before its containers are let go, 15m by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// Whether images that open documents need are fetched ahead, true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<bool>,
}

/// Counters for a Prometheus on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of settings")]
pub struct MetricsLayer {
    /// Where servers answer `GET /metrics`: an address of the loopback with a port, like `127.0.0.1:9464`. Port 0 takes a free
    /// one, which `runpen status` tells. Nowhere by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
}

/// A row of the table of languages. A new language needs an image, `steps.run`, and extensions or a file name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of settings")]
pub struct LanguageLayer {
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Image reference: a pinned tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// File extensions without the dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Vec<String>>,
    /// Other names, among them those of code fences and of the editor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aliases: Option<Vec<String>>,
    /// Interpreters that a `#!` line may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shebangs: Option<Vec<String>>,
    /// Name of the source file in the sandbox when the document gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// The commands.
    pub steps: StepsLayer,
    /// What the compiler builds, relative to the code's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Vec<String>>,
    /// Whether the run step executes a file built there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<bool>,
    /// Memory of the run step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Processes and threads of the run step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32768))]
    pub pids: Option<u32>,
    /// Open files of the run step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 1_048_576))]
    pub nofile: Option<u32>,
    /// Limits of the compile step.
    pub compile: CompileLayer,
    /// Environment of both steps, laid over the row's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Which interpreter waits for a program ahead of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootKind>,
    /// How a selection is framed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<Frame>,
    /// What else goes around a selection; it replaces the built-in row's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selections>,
    /// What its tools print.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportFormat>,
    /// Whether carriage returns before line feeds are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_carriage_returns: Option<bool>,
}

/// The commands of a language. `{file}` is the source file, `{class}` the class with `main`, `{args}` the user's arguments,
/// `{files}` the source file and the sources beside it that were sent along.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of commands")]
pub struct StepsLayer {
    /// Builds what `run` runs. Empty: nothing is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile: Option<Step>,
    /// Runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Step>,
}

/// Limits of a compile step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of limits")]
pub struct CompileLayer {
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32768))]
    pub pids: Option<u32>,
    /// Open files.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 1_048_576))]
    pub nofile: Option<u32>,
}

/// JSON schema of the configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Layer>().to_value()
}
