//! Rust: rustc's JSON, one message a line, and panics.
//!
//! Bytes of a span count from the start of the file. A span inside a macro's definition leads through its expansion to the
//! place where the program calls the macro. A panic's column counts cells: a tab is four, a wide character two.

use std::ops::Range;

use serde::Deserialize;

use super::source::{LineEnds, Source, floor};
use super::spot::{Cells, line_and_column};
use super::{Input, Message};
use crate::protocol::{Severity, Tag};

const PANIC_CELLS: Cells = Cells { tab: 4, stops: false, wide: true };

/// How deep macros may be nested.
const EXPANSIONS: usize = 32;

#[derive(Debug, Deserialize)]
struct Diagnostic {
    message: String,
    code: Option<Code>,
    level: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Child>,
    rendered: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

#[derive(Debug, Deserialize)]
struct Child {
    message: String,
    level: String,
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
struct Span {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
    label: Option<String>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Debug, Deserialize)]
struct Expansion {
    span: Span,
}

fn read(line: &str) -> Option<Diagnostic> {
    // The attribute of every message: what is not one is somebody else's JSON.
    line.starts_with('{').then(|| serde_json::from_str(line).ok()).flatten()
}

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let found = input.stderr.lines().filter_map(read).filter_map(|diagnostic| message(diagnostic, &source));
    found.take(super::MESSAGE_LIMIT).collect()
}

fn message(diagnostic: Diagnostic, source: &Source<'_>) -> Option<Message> {
    let severity = match diagnostic.level.as_str() {
        "error" | "error: internal compiler error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => return None,
    };
    // "aborting due to 2 previous errors", "3 warnings emitted"
    if diagnostic.spans.is_empty()
        && (diagnostic.message.starts_with("aborting due to ") || diagnostic.message.contains(" emitted"))
    {
        return None;
    }
    let mut text = diagnostic.message;
    let primary = diagnostic.spans.iter().find(|span| span.is_primary);
    if let Some(label) = primary.and_then(|span| span.label.as_deref()).filter(|label| !text.contains(*label)) {
        text.push_str(": ");
        text.push_str(label);
    }
    for child in &diagnostic.children {
        if child.spans.is_empty() && matches!(child.level.as_str(), "help" | "note") {
            for word in ["\n", &child.level, ": ", &child.message] {
                text.push_str(word);
            }
        }
    }
    let mut message = Message::error("rustc", primary.and_then(|span| place(span, source)), text);
    message.severity = severity;
    message.code = diagnostic.code.map(|code| code.code);
    let code = message.code.as_deref().unwrap_or_default();
    if code.starts_with("unused") || code == "dead_code" || code.starts_with("unreachable") {
        message.tags.push(Tag::Unnecessary);
    } else if code == "deprecated" {
        message.tags.push(Tag::Deprecated);
    }
    for span in diagnostic.spans.iter().filter(|span| !span.is_primary) {
        message.relate(place(span, source), span.label.as_deref().unwrap_or("here"));
    }
    for child in &diagnostic.children {
        for span in &child.spans {
            message.relate(place(span, source), child.message.as_str());
        }
    }
    Some(message)
}

/// Where the program calls what a span lies in.
fn place(span: &Span, source: &Source<'_>) -> Option<Range<usize>> {
    let mut outermost = span;
    for _ in 0..EXPANSIONS {
        match &outermost.expansion {
            Some(expansion) => outermost = &expansion.span,
            None => break,
        }
    }
    // What stands in the program even before it is expanded is meant itself: an argument of a macro.
    let own = if source.is(&span.file_name) && span.expansion.is_none() { span } else { outermost };
    if !source.is(&own.file_name) {
        return None;
    }
    let start = floor(source.text, own.byte_start);
    Some(start..own.byte_end.max(start))
}

/// What rustc would have printed for people.
pub(super) fn rendered(line: &str) -> Option<String> {
    Some(read(line)?.rendered.unwrap_or_default())
}

/// `thread 'main' panicked at main.rs:2:21:`, and the text below; releases before 1.73 put the text in quotes before the place.
pub(super) fn parse_panic(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some((at, said)) = lines.iter().enumerate().rev().find_map(|(at, line)| {
        let (before, after) = line.split_once(" panicked at ")?;
        before.starts_with("thread '").then_some((at, after))
    }) else {
        return Vec::new();
    };
    let (place, text) = match said.strip_prefix('\'').and_then(|said| said.rsplit_once("', ")) {
        Some((text, place)) => (place, text.to_owned()),
        None => (said.trim_end_matches(':'), panic_text(&lines[at + 1..])),
    };
    let span =
        source.after(place).and_then(|rest| line_and_column(rest.strip_prefix(':')?)).and_then(|(line, column, _)| {
            let start = PANIC_CELLS.offset(&source, line, column?.saturating_sub(1))?;
            source.token(start)
        });
    let mut message = Message::error("rust", span, text);
    message.code = Some("panic".to_owned());
    // With RUST_BACKTRACE: `             at ./main.rs:7:20`
    for line in &lines[at + 1..] {
        let Some(rest) = line.trim_start().strip_prefix("at ").and_then(|path| source.after(path)) else { continue };
        let Some((line, Some(column), _)) = rest.strip_prefix(':').and_then(line_and_column) else { continue };
        let span = PANIC_CELLS.offset(&source, line, column.saturating_sub(1)).and_then(|start| source.token(start));
        if message.span.is_none() {
            message.span = span;
        } else if message.span != span {
            message.relate(span, "called from here");
        }
    }
    vec![message]
}

fn panic_text(lines: &[&str]) -> String {
    let own =
        lines.iter().take_while(|line| !line.starts_with("note: run with") && !line.starts_with("stack backtrace:"));
    let text: Vec<&str> = own.take(super::spot::TEXT_LINES).copied().collect();
    text.join("\n").trim_end().to_owned()
}
