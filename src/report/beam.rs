//! Erlang and Elixir. Columns count characters from 1.
//!
//! Erlang's messages are printed by the row's own command: `main.erl:4:38: text`, `main.erl:4:38: Warning: text`, and for an
//! exception what the shell prints. Elixir draws a box around the line; `└─ main.exs:3:19: M.f/1` names the place.

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::spot::{TEXT_LINES, line_and_column, named};
use super::{Input, Message};
use crate::protocol::{Severity, Tag};
use crate::text::Encoding;

pub(super) fn parse_erlang(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let lines: Vec<&str> = input.stderr.lines().collect();
    for line in &lines {
        let Some(place) = source.after(line).and_then(|rest| line_and_column(rest.strip_prefix(':')?)) else {
            continue;
        };
        let (line, column, rest) = place;
        let Some(text) = rest.strip_prefix(": ") else { continue };
        let (severity, text) = match text.strip_prefix("Warning: ") {
            Some(text) => (Severity::Warning, text),
            None => (Severity::Error, text),
        };
        messages.push(warned("erlc", severity, spot(&source, line, column), text));
        if messages.len() > super::MESSAGE_LIMIT {
            break;
        }
    }
    messages.retain(|message| input.failed() || message.severity != Severity::Error);
    if input.failed() {
        messages.extend(erlang_exception(&lines, &source));
    }
    messages
}

/// `exception error: text`, then `  in function  m:inner/1 (main.erl, line 4)` and `  in call from …`.
fn erlang_exception(lines: &[&str], source: &Source<'_>) -> Option<Message> {
    let at = lines.iter().rposition(|line| line.starts_with("exception "))?;
    let is_frame = |line: &&&str| line.starts_with("  in ");
    let text: Vec<&str> = lines[at..].iter().take(TEXT_LINES).take_while(|line| !is_frame(line)).copied().collect();
    let mut message = Message::error("erlang", None, text.join("\n").trim_end());
    for line in lines[at + 1..].iter().filter(is_frame).take(200) {
        let Some((function, place)) = line.rsplit_once(" (") else { continue };
        let Some((number, _)) = source.after(place).and_then(|rest| number(rest.strip_prefix(", line ")?)) else {
            continue;
        };
        let name = function.rsplit(' ').next().unwrap_or_default();
        if message.span.is_none() {
            message.span = source.trimmed(number);
        } else {
            message.relate(source.trimmed(number), format!("called from here, in {name}"));
        }
    }
    Some(message)
}

pub(super) fn parse_elixir(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let mut messages: Vec<Message> = Vec::new();
    let mut head: Option<(Severity, &str)> = None;
    let mut width = 1;
    for line in &lines {
        let inner = line.trim_start();
        if let Some(found) = headed(inner) {
            (head, width) = (Some(found), 1);
        } else if let Some(place) = inner.strip_prefix("└─ ") {
            let Some((severity, text)) = head.take() else { continue };
            let located = source.after(place).and_then(|rest| line_and_column(rest.strip_prefix(':')?));
            let span = located.and_then(|(line, column, _)| boxed(&source, line, column, width, text));
            messages.push(warned("elixir", severity, span, text));
            if messages.len() > super::MESSAGE_LIMIT {
                break;
            }
        } else if let Some(marked) = inner.strip_prefix('│').map(str::trim) {
            let count = marked.bytes().take_while(|byte| matches!(byte, b'^' | b'~')).count();
            width = width.max(count);
        }
    }
    messages.retain(|message| input.failed() || message.severity != Severity::Error);
    // What stands in a box is said again: "cannot compile module M (errors have been logged)".
    let refused = messages.iter().any(|message| message.severity == Severity::Error);
    if input.failed() && !refused {
        messages.extend(elixir_exception(&lines, &source));
    }
    messages
}

fn headed(line: &str) -> Option<(Severity, &str)> {
    let error = line.strip_prefix("error: ").map(|text| (Severity::Error, text));
    error.or_else(|| line.strip_prefix("warning: ").map(|text| (Severity::Warning, text)))
}

fn boxed(source: &Source<'_>, line: usize, column: Option<usize>, width: usize, text: &str) -> Option<Range<usize>> {
    let Some(column) = column.and_then(|column| column.checked_sub(1)) else { return named(source, line, text, &[]) };
    let start = source.offset(line, column, Encoding::Utf32)?;
    if width > 1 {
        return Some(start..source.offset(line, column + width, Encoding::Utf32)?);
    }
    source.token(start)
}

/// `** (ArgumentError) text`, further lines of it, then frames: `    main.exs:2: M.inner/1`.
fn elixir_exception(lines: &[&str], source: &Source<'_>) -> Option<Message> {
    let at = lines.iter().rposition(|line| line.starts_with("** ("))?;
    let (code, text) = lines[at].strip_prefix("** (")?.split_once(") ")?;
    let mut message = Message::error("elixir", None, text);
    message.code = Some(code.to_owned());
    let mut frames = false;
    for line in lines[at + 1..].iter().take(200) {
        let inner = line.trim_start();
        let frame = source.after(inner).and_then(|rest| number(rest.strip_prefix(':')?));
        frames |= frame.is_some() || inner.starts_with('(');
        if let Some((number, rest)) = frame {
            let function = rest.trim_start_matches(": ");
            if message.span.is_none() {
                message.span = named(source, number, text, &["function "]);
            } else {
                message.relate(source.trimmed(number), format!("called from here, in {function}"));
            }
        } else if !frames && message.text.lines().count() < TEXT_LINES && !inner.is_empty() {
            message.text.push('\n');
            message.text.push_str(inner);
        }
    }
    Some(message)
}

fn spot(source: &Source<'_>, line: usize, column: Option<usize>) -> Option<Range<usize>> {
    match column.and_then(|column| column.checked_sub(1)) {
        Some(column) => source.token_at(line, column, Encoding::Utf32),
        None => source.trimmed(line),
    }
}

fn warned(tool: &str, severity: Severity, span: Option<Range<usize>>, text: &str) -> Message {
    let mut message = Message::error(tool, span, text);
    message.severity = severity;
    if severity == Severity::Warning && text.contains(" unused") {
        message.tags.push(Tag::Unnecessary);
    } else if severity == Severity::Warning && text.contains(" deprecated") {
        message.tags.push(Tag::Deprecated);
    }
    message
}
