//! What tools print → located messages. Pure; it knows no engine and no LSP.
//!
//! One file a family of tools. A parser gets the program as it was sent and what a stage printed, and answers with byte
//! ranges of that program; [`crate::snippet::Snippet::map`] brings them to the document. Output is written by untrusted
//! code: a parser never panics, bounds what it returns, and points only into the program.

use std::ops::Range;

use crate::language::ReportFormat;
use crate::protocol::{PhaseName, Severity, Tag};
use crate::text::Text;

/// The most messages one stage may give.
pub const MESSAGE_LIMIT: usize = 100;

/// What a parser reads.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Which stage printed it.
    pub phase: PhaseName,
    /// The program as it was sent.
    pub program: &'a Text,
    /// Absolute path of the program in the sandbox.
    pub path: &'a str,
    /// End of what the stage printed on standard error (and, while compiling, on standard output too).
    pub stderr: &'a str,
    /// Exit code, when it ended by itself.
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
}

/// An error or a warning at a place of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Byte range of the program; `None` when the tool names no place in it.
    pub span: Option<Range<usize>>,
    /// How bad.
    pub severity: Severity,
    /// Code the tool gives it.
    pub code: Option<String>,
    /// The tool.
    pub source: String,
    /// For a person.
    pub text: String,
    /// Further places.
    pub related: Vec<(Range<usize>, String)>,
    /// Further meaning.
    pub tags: Vec<Tag>,
}

/// Reads what a stage printed.
#[must_use]
pub fn parse(format: ReportFormat, input: &Input<'_>) -> Vec<Message> {
    let _ = input;
    match format {
        ReportFormat::None
        | ReportFormat::Python
        | ReportFormat::Node
        | ReportFormat::Java
        | ReportFormat::Gcc
        | ReportFormat::Go
        | ReportFormat::Shell => Vec::new(),
    }
}

/// Whether what the stage prints on standard error is for machines, so that [`render`] must say it to people.
#[must_use]
pub fn for_machines(format: ReportFormat, phase: PhaseName) -> bool {
    format == ReportFormat::Gcc && phase == PhaseName::Compile
}

/// What a compiler said for machines, for people: its plain lines as they are, then each message.
#[must_use]
pub fn render(stderr: &str, messages: &[Message], snippet: &crate::snippet::Snippet) -> String {
    let _ = (messages, snippet);
    stderr.to_owned()
}
