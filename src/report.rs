//! What tools print → located messages. Pure; it knows no engine and no LSP.
//!
//! One file a family of tools. A parser gets the program as it was sent and what a stage printed, and answers with byte
//! ranges of that program; [`crate::snippet::Snippet::map`] brings them to the document. Output is written by untrusted
//! code: a parser never panics, takes time linear in what it is given, bounds what it returns, and points only into the
//! program.
//!
//! # Where a message stands
//!
//! At the innermost frame that lies in the program. The program's other frames, causes and notes become
//! [`Message::related`], innermost first; the runtime's own frames are dropped. Where a tool gives both ends of a place,
//! those; where it gives only a start, the word there; where it gives only a line, the line without the white space around
//! it.
//!
//! What a compiler says is always reported. What a program prints while it runs is believed only when the program failed,
//! since a traceback that was caught and printed is no error of the run.

mod beam;
mod compilers;
mod deno;
mod gcc;
mod gcc_json;
mod go;
mod java;
mod jvm;
mod native;
mod node;
mod ocaml;
mod python;
mod python_marks;
mod queries;
mod render;
mod rust;
mod scripts;
mod shell;
mod source;
mod spot;
mod token;
mod traces;

use std::ops::Range;

use self::compilers::Compiler;
use crate::language::ReportFormat;
use crate::protocol::{PhaseName, Severity, Tag};
use crate::text::Text;
pub use render::render;

/// The most messages one stage may give.
pub const MESSAGE_LIMIT: usize = 100;

/// The most further places of one message.
const RELATED_LIMIT: usize = 16;

/// The most bytes of a message's text.
const TEXT_LIMIT: usize = 4096;

/// The most bytes of a further place's text, and of a code.
const LABEL_LIMIT: usize = 512;

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

impl Input<'_> {
    /// Whether the stage ended badly.
    fn failed(&self) -> bool {
        self.exit_code != Some(0) || self.signal.is_some()
    }
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

impl Message {
    fn error(source: &str, span: Option<Range<usize>>, text: impl Into<String>) -> Self {
        Self {
            span,
            severity: Severity::Error,
            code: None,
            source: source.to_owned(),
            text: text.into(),
            related: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// Adds a place unless there are enough, or it was the last one added: recursion goes through one place over and over.
    fn relate(&mut self, span: Option<Range<usize>>, text: impl Into<String>) {
        let Some(span) = span.filter(|_| self.related.len() < RELATED_LIMIT) else {
            return;
        };
        let text = text.into();
        if self.related.last().is_none_or(|last| last.0 != span || last.1 != text) {
            self.related.push((span, text));
        }
    }
}

/// Reads what a stage printed.
#[must_use]
pub fn parse(format: ReportFormat, input: &Input<'_>) -> Vec<Message> {
    let found = match (format, input.phase) {
        (_, PhaseName::Pull) | (ReportFormat::None, _) => Vec::new(),
        (ReportFormat::Python, _) => python::parse(input),
        (ReportFormat::Node, _) => node::parse(input),
        (ReportFormat::Java, PhaseName::Compile) => java::parse(input),
        (ReportFormat::Java | ReportFormat::Kotlin, PhaseName::Run) => jvm::parse(input),
        (ReportFormat::Gcc, PhaseName::Compile) => gcc::parse(input),
        (ReportFormat::Gcc | ReportFormat::Swift, PhaseName::Run) => native::parse(input),
        (ReportFormat::Go, PhaseName::Compile) => go::parse_build(input),
        (ReportFormat::Go, PhaseName::Run) => go::parse_panic(input),
        (ReportFormat::Shell, _) => shell::parse(input),
        (ReportFormat::Deno, PhaseName::Compile) => deno::parse(input),
        (ReportFormat::Deno, PhaseName::Run) => deno::parse_uncaught(input),
        (ReportFormat::Rust, PhaseName::Compile) => rust::parse(input),
        (ReportFormat::Rust, PhaseName::Run) => rust::parse_panic(input),
        (ReportFormat::Ruby, _) => scripts::parse_ruby(input),
        (ReportFormat::Php, _) => scripts::parse_php(input),
        (ReportFormat::Perl, _) => scripts::parse_perl(input),
        (ReportFormat::Lua, _) => scripts::parse_lua(input),
        (ReportFormat::R, _) => queries::parse_r(input),
        (ReportFormat::Sqlite, _) => queries::parse_sqlite(input),
        (ReportFormat::Awk, _) => queries::parse_awk(input),
        (ReportFormat::Prolog, _) => queries::parse_prolog(input),
        (ReportFormat::Ocaml, PhaseName::Compile) => ocaml::parse(input),
        (ReportFormat::Ocaml, PhaseName::Run) => ocaml::parse_exception(input),
        (ReportFormat::Erlang, _) => beam::parse_erlang(input),
        (ReportFormat::Elixir, _) => beam::parse_elixir(input),
        (ReportFormat::Fortran, PhaseName::Compile) => traces::parse_gfortran(input),
        (ReportFormat::Fortran, PhaseName::Run) => traces::parse_fortran(input),
        (ReportFormat::Haskell, PhaseName::Run) => traces::parse_haskell(input),
        (ReportFormat::Nim, PhaseName::Run) => traces::parse_nim(input),
        (ReportFormat::D, PhaseName::Run) => traces::parse_d(input),
        (ReportFormat::Zig, PhaseName::Run) => traces::parse_zig(input),
        (ReportFormat::Mono, PhaseName::Run) => traces::parse_mono(input),
        (ReportFormat::Haskell, PhaseName::Compile) => compilers::parse(Compiler::Haskell, input),
        (ReportFormat::Nim, PhaseName::Compile) => compilers::parse(Compiler::Nim, input),
        (ReportFormat::D, PhaseName::Compile) => compilers::parse(Compiler::D, input),
        (ReportFormat::Zig, PhaseName::Compile) => compilers::parse(Compiler::Zig, input),
        (ReportFormat::Mono, PhaseName::Compile) => compilers::parse(Compiler::Mono, input),
        (ReportFormat::Kotlin, PhaseName::Compile) => compilers::parse(Compiler::Kotlin, input),
        (ReportFormat::Swift, PhaseName::Compile) => compilers::parse(Compiler::Swift, input),
    };
    let mut messages: Vec<Message> = Vec::with_capacity(found.len().min(MESSAGE_LIMIT));
    for mut message in found {
        // GCC's family has one reader.
        if format == ReportFormat::Gcc && input.path.rsplit('.').next() == Some("c") {
            message.source = message.source.replace("g++", "gcc").replace("c++", "c");
        }
        bound(&mut message, input.program.as_str());
        // A tool says a thing twice when it meets it twice: a macro, a template.
        if !messages.contains(&message) {
            messages.push(message);
        }
        if messages.len() == MESSAGE_LIMIT {
            break;
        }
    }
    if messages.is_empty() && input.phase == PhaseName::Compile && input.failed() {
        messages.extend(last_words(format, input));
    }
    messages
}

/// Whether what the stage prints on standard error is for machines, so that [`render()`] must say it to people.
#[must_use]
pub fn for_machines(format: ReportFormat, phase: PhaseName) -> bool {
    matches!(format, ReportFormat::Java | ReportFormat::Rust) && phase == PhaseName::Compile
}

/// What a compiler said that no parser understood: better shown at no place than nowhere.
fn last_words(format: ReportFormat, input: &Input<'_>) -> Option<Message> {
    let source = match format {
        ReportFormat::Java => "javac",
        ReportFormat::Gcc => "g++",
        ReportFormat::Go => "go",
        ReportFormat::Deno => "deno",
        ReportFormat::Rust => "rustc",
        ReportFormat::Ocaml => "ocaml",
        ReportFormat::Fortran => "gfortran",
        ReportFormat::Haskell => Compiler::Haskell.tool(),
        ReportFormat::Nim => Compiler::Nim.tool(),
        ReportFormat::D => Compiler::D.tool(),
        ReportFormat::Zig => Compiler::Zig.tool(),
        ReportFormat::Mono => Compiler::Mono.tool(),
        ReportFormat::Kotlin => Compiler::Kotlin.tool(),
        ReportFormat::Swift => Compiler::Swift.tool(),
        // They have nothing to compile.
        _ => return None,
    };
    let lines: Vec<&str> = input.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let text = lines[lines.len().saturating_sub(5)..].join("\n");
    let mut message = (!text.is_empty()).then(|| Message::error(source, None, text))?;
    bound(&mut message, input.program.as_str());
    Some(message)
}

/// Keeps what the header of this module promises, whatever a parser made of its input.
fn bound(message: &mut Message, program: &str) {
    message.text = clip(&message.text, TEXT_LIMIT);
    message.code = message.code.take().map(|code| clip(&code, LABEL_LIMIT)).filter(|code| !code.is_empty());
    message.span = message.span.take().map(|span| inside(&span, program));
    message.related.truncate(RELATED_LIMIT);
    for (span, text) in &mut message.related {
        *span = inside(span, program);
        *text = clip(text, LABEL_LIMIT);
    }
}

fn inside(span: &Range<usize>, program: &str) -> Range<usize> {
    let start = source::floor(program, span.start);
    let mut end = span.end.clamp(start, program.len());
    while !program.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// At most `limit` bytes of a text, without the white space at its end and without what moves a terminal's cursor.
fn clip(text: &str, limit: usize) -> String {
    let text = text.trim_end();
    let clipped = &text[..source::floor(text, limit)];
    let printable = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    let mut clean: String = clipped.chars().filter(printable).collect();
    if clipped.len() < text.len() {
        clean.push('…');
    }
    clean
}
