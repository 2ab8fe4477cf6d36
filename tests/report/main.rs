//! What the real tools printed for the programs in `data/report`, against what is to be made of it.
//!
//! A snapshot shows each message with the text it underlines. `data/report/capture.sh` made the captures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "plain to read, and as fast as a test has to be"
)]

mod hostile;

use std::path::{Path, PathBuf};

use runpen::language::ReportFormat;
use runpen::protocol::{PhaseName, Severity};
use runpen::report::{Input, Message, parse};
use runpen::text::{Encoding, Text};
use serde::Deserialize;

/// First line of a capture.
#[derive(Debug, Deserialize)]
struct Head {
    phase: PhaseName,
    path: String,
    exit: i32,
    signal: Option<i32>,
}

struct Capture {
    /// `case.variant.phase`
    name: String,
    program: Text,
    head: Head,
    printed: String,
}

impl Capture {
    fn messages(&self, format: ReportFormat) -> Vec<Message> {
        parse(
            format,
            &Input {
                phase: self.head.phase,
                program: &self.program,
                path: &self.head.path,
                stderr: &self.printed,
                exit_code: Some(self.head.exit),
                signal: self.head.signal,
            },
        )
    }
}

fn folder(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report").join(language)
}

fn captures(language: &str) -> Vec<Capture> {
    let folder = folder(language);
    let mut names: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "err"));
    names.sort();
    let captures: Vec<_> = names.iter().map(|path| capture(&folder, path)).collect();
    assert!(!captures.is_empty());
    captures
}

fn capture(folder: &Path, path: &Path) -> Capture {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let case = name.split('.').next().unwrap();
    let mut program = std::fs::read_to_string(folder.join(format!("{case}.src"))).unwrap();
    if folder.ends_with("shell") {
        program = program.replace("\r\n", "\n");
    }
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let (head, printed) = text.split_once('\n').unwrap();
    let head = serde_json::from_str(head).unwrap();
    Capture { program: Text::new(program), head, printed: printed.to_owned(), name }
}

/// `1:5-1:9 «text»`, with columns in code points from 1.
fn place(program: &Text, span: &std::ops::Range<usize>) -> String {
    let range = program.range(span, Encoding::Utf32);
    let (start, end) = (range.start, range.end);
    let text = program.as_str()[span.clone()].replace('\n', "⏎").replace('\r', "␍");
    let end = if start.line == end.line { String::new() } else { format!("{}:", end.line + 1) }
        + &(end.character + 1).to_string();
    format!("{}:{}-{end} «{text}»", start.line + 1, start.character + 1)
}

fn shown(capture: &Capture, messages: &[Message]) -> String {
    let mut shown = String::new();
    for message in messages {
        let span = message.span.as_ref().map_or("nowhere".to_owned(), |span| place(&capture.program, span));
        shown += &format!("{span}\n  {:?} {}", message.severity, message.source);
        shown += &message.code.as_ref().map_or(String::new(), |code| format!(" ({code})"));
        shown += &message.tags.iter().map(|tag| format!(" {tag:?}")).collect::<String>();
        shown += &format!(": {}\n", message.text.replace('\n', "\n    | "));
        for (span, text) in &message.related {
            shown += &format!("  - {} {text}\n", place(&capture.program, span));
        }
    }
    if shown.is_empty() { "nothing\n".to_owned() } else { shown }
}

fn snapshots(language: &str, format: ReportFormat) {
    let mut all = String::new();
    for capture in captures(language) {
        all += &format!("## {}\n{}\n", capture.name, shown(&capture, &capture.messages(format)));
    }
    insta::with_settings!({snapshot_path => folder(""), prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(language, all);
    });
}

#[test]
fn python() {
    snapshots("python", ReportFormat::Python);
}

#[test]
fn node() {
    snapshots("node", ReportFormat::Node);
}

#[test]
fn java() {
    snapshots("java", ReportFormat::Java);
}

#[test]
fn cpp() {
    snapshots("cpp", ReportFormat::Gcc);
}

#[test]
fn go() {
    snapshots("go", ReportFormat::Go);
}

#[test]
fn shell() {
    snapshots("shell", ReportFormat::Shell);
}

#[test]
fn every_other_language() {
    for (language, format) in &FORMATS[6..] {
        snapshots(language, *format);
    }
}

const FORMATS: [(&str, ReportFormat); 27] = [
    ("python", ReportFormat::Python),
    ("node", ReportFormat::Node),
    ("java", ReportFormat::Java),
    ("cpp", ReportFormat::Gcc),
    ("go", ReportFormat::Go),
    ("shell", ReportFormat::Shell),
    ("typescript", ReportFormat::Deno),
    ("c", ReportFormat::Gcc),
    ("rust", ReportFormat::Rust),
    ("ruby", ReportFormat::Ruby),
    ("php", ReportFormat::Php),
    ("perl", ReportFormat::Perl),
    ("lua", ReportFormat::Lua),
    ("r", ReportFormat::R),
    ("sql", ReportFormat::Sqlite),
    ("awk", ReportFormat::Awk),
    ("haskell", ReportFormat::Haskell),
    ("ocaml", ReportFormat::Ocaml),
    ("erlang", ReportFormat::Erlang),
    ("elixir", ReportFormat::Elixir),
    ("nim", ReportFormat::Nim),
    ("d", ReportFormat::D),
    ("fortran", ReportFormat::Fortran),
    ("prolog", ReportFormat::Prolog),
    ("zig", ReportFormat::Zig),
    ("csharp", ReportFormat::Mono),
    ("kotlin", ReportFormat::Kotlin),
];

/// A GCC that is asked for JSON means the same places as in its text, but for macros and templates.
#[test]
fn both_forms_of_gcc_mean_the_same_places() {
    let all = captures("cpp");
    for json in all.iter().filter(|capture| capture.name.contains("14-json")) {
        let case = json.name.split('.').next().unwrap();
        let Some(text) = all.iter().find(|capture| capture.name == format!("{case}.14.compile")) else { continue };
        if matches!(case, "macro" | "template") {
            continue;
        }
        assert_eq!(json.messages(ReportFormat::Gcc), text.messages(ReportFormat::Gcc), "{case}");
    }
}

/// Every run that ended well is believed, whatever it printed.
#[test]
fn a_program_that_ended_well_has_no_errors() {
    for (language, format) in FORMATS {
        for mut capture in captures(language) {
            if capture.head.phase == PhaseName::Run {
                (capture.head.exit, capture.head.signal) = (0, None);
                let messages = capture.messages(format);
                assert!(messages.iter().all(|message| message.severity != Severity::Error), "{}", capture.name);
            }
        }
    }
}
