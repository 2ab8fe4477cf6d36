//! The wire: events, command arguments and answers. Serde only; it knows nothing else of the crate.
//!
//! One type serves both sides: `runpen run --json` prints an [`Event`] a line, the language server sends the same
//! object as the notification `runpen/<event>`. `editors/PROTOCOL.md` is this file in prose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A place in a document: zero-based line, and character in the agreed position encoding (UTF-16 unless agreed otherwise).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    /// Zero-based line.
    pub line: u32,
    /// Zero-based character in units of the agreed encoding.
    pub character: u32,
}

/// A half-open range of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Range {
    /// First position.
    pub start: Position,
    /// Position after the last one.
    pub end: Position,
}

/// What a run says, in the order it says it. Every run has exactly one `finished`, and nothing after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    /// The run has its engine and image.
    Started(Started),
    /// A phase begins or ends.
    Phase(Phase),
    /// The program printed something.
    Output(Output),
    /// The run is over.
    Finished(Box<Finished>),
}

impl Event {
    /// The name of the notification that carries this event.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Started(_) => "runpen/started",
            Self::Phase(_) => "runpen/phase",
            Self::Output(_) => "runpen/output",
            Self::Finished(_) => "runpen/finished",
        }
    }

    /// The run that says it.
    #[must_use]
    pub fn run_id(&self) -> &str {
        match self {
            Self::Started(started) => &started.run_id,
            Self::Phase(phase) => &phase.run_id,
            Self::Output(output) => &output.run_id,
            Self::Finished(finished) => &finished.run_id,
        }
    }
}

/// First event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The run.
    pub run_id: String,
    /// The document, when there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uri: Option<String>,
    /// The part of the document that runs, when it is not the whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub range: Option<Range>,
    /// Name of the language, as in `runpen languages`.
    pub language: String,
    /// Engine: `docker` or `embedded`.
    pub engine: String,
    /// Image reference, or what stands in for it on an engine without images.
    pub image: String,
    /// Whether a waiting container took the run.
    pub warm: bool,
}

/// Name of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// The image is being fetched.
    Pull,
    /// The program is being compiled.
    Compile,
    /// The program runs.
    Run,
}

/// Which end of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// It begins.
    Begin,
    /// It is over.
    End,
}

/// A phase begins or ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// The run.
    pub run_id: String,
    /// Which phase.
    pub phase: PhaseName,
    /// Begin or end.
    pub state: PhaseState,
    /// On end: milliseconds the phase took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wall_ms: Option<f64>,
    /// On end: exit code, where the phase has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
}

/// The two streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The program printed something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The run.
    pub run_id: String,
    /// Counts from 0 within a run, without gaps.
    pub seq: u64,
    /// Which stream.
    pub stream: Stream,
    /// Valid UTF-8; a character split across chunks is joined, bad bytes are U+FFFD.
    pub text: String,
    /// The bytes as they were printed, instead of `text`, where the run was asked for them; never on the wire.
    #[serde(skip)]
    pub raw: bytes::Bytes,
}

/// How a run ended. Exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The program ended by itself; see `exitCode`.
    Exited,
    /// A signal ended it; see `signal`.
    Signaled,
    /// The compiler refused it.
    CompileFailed,
    /// A deadline passed.
    TimedOut,
    /// The kernel killed a process of the run because its memory limit was reached.
    OutOfMemory,
    /// It printed more than it may.
    OutputLimit,
    /// The user, or a closing editor, stopped it.
    Cancelled,
    /// Runpen or its engine failed; see `error`.
    EngineFailure,
}

impl Outcome {
    /// Its word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Signaled => "signaled",
            Self::CompileFailed => "compile_failed",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::OutputLimit => "output_limit",
            Self::Cancelled => "cancelled",
            Self::EngineFailure => "engine_failure",
        }
    }
}

/// What a phase used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseUsage {
    /// Which phase.
    pub name: PhaseName,
    /// Wall time in milliseconds.
    pub wall_ms: f64,
    /// CPU time in milliseconds, where it could be measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_ms: Option<f64>,
    /// Peak memory of all processes of the phase in bytes, where it could be measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_memory_bytes: Option<u64>,
}

/// Last event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Exit code of the program or, after `compile_failed`, of the compiler.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// Number of the signal that ended the program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// One line for a person: what limit was broken, what failed and what to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// What each phase used.
    pub phases: Vec<PhaseUsage>,
    /// Whether output was dropped.
    pub truncated: bool,
    /// The receipt: what really enclosed the program. Absent when no container was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sandbox: Option<Receipt>,
    /// Errors and warnings, at places of the document.
    #[serde(default)]
    pub diagnostics: Vec<Diagnostic>,
    /// What the program printed, in answers to `wait: true` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdout: Option<String>,
    /// What the program printed on standard error, in answers to `wait: true` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stderr: Option<String>,
}

/// What really enclosed a program, read back from the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Engine: `docker` or `embedded`.
    pub engine: String,
    /// Version of the engine.
    pub engine_version: String,
    /// What starts the container: `runc`, `runsc`, ….
    pub runtime: String,
    /// Image reference, or the toolchain on an engine without images.
    pub image: String,
    /// Digest of the image.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// Each control (`network`, `user`, `memory`, …) and its value as it was applied.
    pub controls: BTreeMap<String, String>,
    /// Controls of the plan that this engine could not give, each with the way to get it.
    #[serde(default)]
    pub missing: Vec<String>,
}

impl Receipt {
    /// Whether a control of the plan is not given.
    #[must_use]
    pub fn lacks(&self, control: &str) -> bool {
        self.missing.iter().any(|missing| missing.split_once(": ").is_some_and(|(name, _)| name == control))
    }
}

/// Severity, in LSP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// A note.
    Information,
    /// A hint.
    Hint,
}

/// Further meaning of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// Unused code.
    Unnecessary,
    /// Deprecated code.
    Deprecated,
}

/// An error or a warning at a place of the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Where.
    pub range: Range,
    /// How bad.
    pub severity: Severity,
    /// Code the tool gives it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// The tool (`python`, `g++`, …) or `runpen`.
    pub source: String,
    /// For a person.
    pub message: String,
    /// Further places: other frames, notes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub related: Vec<Related>,
    /// Further meaning.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<Tag>,
}

/// A further place of a diagnostic, in the same document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Related {
    /// Where.
    pub range: Range,
    /// What is there.
    pub message: String,
}

/// Argument of `runpen.runFile`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunFileParams {
    /// The document.
    pub uri: String,
    /// Arguments of the program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub args: Option<Vec<String>>,
    /// All of its standard input. Without it, input comes by `runpen.sendInput`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdin: Option<String>,
    /// Send the other files of the document's folder too, of open ones the editor's text.
    #[serde(default)]
    pub folder: bool,
    /// Send these files of the document's folder too, and no others.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub files: Option<Vec<String>>,
    /// Answer with the `finished` object instead of `{runId}`.
    #[serde(default)]
    pub wait: bool,
}

/// Argument of `runpen.runSelection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSelectionParams {
    /// The document.
    pub uri: String,
    /// The selection.
    pub range: Range,
    /// Arguments of the program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub args: Option<Vec<String>>,
    /// All of its standard input. Without it, input comes by `runpen.sendInput`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdin: Option<String>,
    /// Answer with the `finished` object instead of `{runId}`.
    #[serde(default)]
    pub wait: bool,
}

/// Answer of a run command without `wait`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAnswer {
    /// The run.
    pub run_id: String,
}

/// Argument of `runpen.runBlock`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunBlockParams {
    /// The document.
    pub uri: String,
    /// A place in the block, or on the lines of its marks.
    pub position: Position,
    /// Arguments of the program, instead of what the block says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub args: Option<Vec<String>>,
    /// All of its standard input, instead of what the block says. Without either, input comes by `runpen.sendInput`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdin: Option<String>,
    /// Answer with the `finished` object instead of `{runId}`.
    #[serde(default)]
    pub wait: bool,
}

/// Argument of `runpen.runAllBlocks`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAllBlocksParams {
    /// The document.
    pub uri: String,
    /// Answer when all runs are over, with their `finished` objects.
    #[serde(default)]
    pub wait: bool,
}

/// Answer of `runpen.runAllBlocks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAllBlocksAnswer {
    /// The runs, in the order of the document.
    pub runs: Vec<BlockRunAnswer>,
    /// Blocks that do not run.
    pub skipped: Vec<SkippedBlock>,
    /// With `wait`, how each run ended, in the same order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished: Option<Vec<Finished>>,
}

/// One run of a [`RunAllBlocksAnswer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockRunAnswer {
    /// The run.
    pub run_id: String,
    /// The block, its marks and all.
    pub range: Range,
}

/// A block that does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedBlock {
    /// The block, its marks and all.
    pub range: Range,
    /// Why.
    pub reason: String,
}

/// Argument of `runpen.sendInput`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendInputParams {
    /// The run.
    pub run_id: String,
    /// Text for its standard input.
    #[serde(default)]
    pub text: String,
    /// Close its standard input afterwards.
    #[serde(default)]
    pub eof: bool,
}

/// Argument of `runpen.cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelParams {
    /// The run; all of them without it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<String>,
}

/// Argument of `runpen.clear`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClearParams {
    /// The document; all of them without it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uri: Option<String>,
}

/// Argument of `runpen.showOutput`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShowOutputParams {
    /// The document.
    pub uri: String,
    /// The run; without it the last one of the document that ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run_id: Option<String>,
}

/// Argument of `runpen.pullImages`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullImagesParams {
    /// Names of languages; without it, those of the open documents.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub languages: Option<Vec<String>>,
    /// Answer when all have come or failed.
    #[serde(default)]
    pub wait: bool,
}

/// Answer of `runpen.pullImages`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullImagesAnswer {
    /// An image a language.
    pub images: Vec<ImageStatus>,
}

/// Answer of `runpen.status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of Runpen.
    pub version: String,
    /// The engine, when one answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub engine: Option<EngineStatus>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Images of the languages in use.
    pub images: Vec<ImageStatus>,
    /// Waiting containers.
    pub pool: Vec<PoolStatus>,
    /// Runs in flight.
    pub runs: Vec<RunStatus>,
}

/// `runpen/status`: how the engine stands and what waits, when that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "event", rename = "status", rename_all = "camelCase")]
pub struct Standing {
    /// The engine, when it answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub engine: Option<EngineStatus>,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Waiting containers.
    pub pool: Vec<PoolStatus>,
}

/// The engine of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// `docker` or `embedded`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it was reached.
    pub endpoint: String,
    /// What starts its containers.
    pub runtime: String,
}

/// An image of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    /// The language that uses it.
    pub language: String,
    /// Its reference.
    pub image: String,
    /// Whether the engine has it.
    pub present: bool,
    /// Why it could not be fetched, in answers of `runpen.pullImages` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// Waiting containers of one language in a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolStatus {
    /// The language.
    pub language: String,
    /// How many wait.
    pub waiting: u32,
}

/// A run in flight in a [`Status`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// The run.
    pub run_id: String,
    /// Its document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uri: Option<String>,
    /// Its language.
    pub language: String,
    /// Milliseconds since it was asked for.
    pub elapsed_ms: f64,
}

/// Names of the commands for `workspace/executeCommand`.
pub mod command {
    /// Run a whole document.
    pub const RUN_FILE: &str = "runpen.runFile";
    /// Run a part of a document.
    pub const RUN_SELECTION: &str = "runpen.runSelection";
    /// Run the code block at a place of a document.
    pub const RUN_BLOCK: &str = "runpen.runBlock";
    /// Run all code blocks of a document.
    pub const RUN_ALL_BLOCKS: &str = "runpen.runAllBlocks";
    /// Send standard input to a run.
    pub const SEND_INPUT: &str = "runpen.sendInput";
    /// Stop a run, or all.
    pub const CANCEL: &str = "runpen.cancel";
    /// Drop diagnostics, hints and results.
    pub const CLEAR: &str = "runpen.clear";
    /// Open all that a run printed in the editor.
    pub const SHOW_OUTPUT: &str = "runpen.showOutput";
    /// Fetch images.
    pub const PULL_IMAGES: &str = "runpen.pullImages";
    /// Ask for a [`Status`](super::Status).
    pub const STATUS: &str = "runpen.status";
    /// All of them, as announced to the client.
    pub const ALL: &[&str] = &[
        RUN_FILE,
        RUN_SELECTION,
        RUN_BLOCK,
        RUN_ALL_BLOCKS,
        SEND_INPUT,
        CANCEL,
        CLEAR,
        SHOW_OUTPUT,
        PULL_IMAGES,
        STATUS,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_s_word_is_the_one_on_the_wire() {
        use Outcome::{Cancelled, CompileFailed, EngineFailure, Exited, OutOfMemory, OutputLimit, Signaled, TimedOut};
        for outcome in [Exited, Signaled, CompileFailed, TimedOut, OutOfMemory, OutputLimit, Cancelled, EngineFailure] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.word());
        }
    }
}
