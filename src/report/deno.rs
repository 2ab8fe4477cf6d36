//! TypeScript: what Deno's checker, its parser and its runtime say. tsc's own form is read by [`super::compilers`].
//!
//! A message ends with `    at file:///…:LINE:COLUMN`; before it stand the line and marks below it. Columns count from 1, in
//! UTF-16 units, but a syntax error's in characters.

use std::ops::Range;

use super::compilers::{self, Compiler};
use super::source::{LineEnds, Source, located};
use super::spot::{TEXT_LINES, marks};
use super::{Input, Message};
use crate::text::Encoding;

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Separator);
    let mut messages = compilers::parse(Compiler::Tsc, input);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let mut start = None;
    for (at, line) in lines.iter().enumerate() {
        if headed(line).is_some() {
            start = Some(at);
        } else if let Some(place) = line.strip_prefix("    at ") {
            let Some(from) = start.take() else { continue };
            messages.extend(message(&lines[from..at], place, &source));
            if messages.len() > super::MESSAGE_LIMIT {
                break;
            }
        }
    }
    messages
}

/// Code and text of `TS2339 [ERROR]: text` and `error: SyntaxError: text`.
fn headed(line: &str) -> Option<(&str, &str)> {
    if let Some((code, text)) = line.split_once(" [ERROR]: ") {
        let is_code = code.strip_prefix("TS").is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        return is_code.then_some((code, text));
    }
    let text = line.strip_prefix("error: ")?;
    Some(text.split_once(": ").filter(|(code, _)| code.ends_with("Error")).unwrap_or(("", text)))
}

fn message(lines: &[&str], place: &str, source: &Source<'_>) -> Option<Message> {
    let (code, text) = headed(lines.first()?)?;
    let unit = if code == "SyntaxError" { Encoding::Utf32 } else { Encoding::Utf16 };
    let width = lines.last().and_then(|line| marks(line));
    // The line and its marks are no text.
    let rest = lines.get(1..lines.len() - if width.is_some() { 2.min(lines.len() - 1) } else { 0 }).unwrap_or_default();
    let more = rest.iter().take(TEXT_LINES).filter(|line| !line.trim_start().starts_with('|'));
    let text = std::iter::once(text).chain(more.map(|line| line.trim_end())).collect::<Vec<_>>().join("\n");
    let mut message = Message::error("deno", span(place, width.unwrap_or(1), unit, source), text);
    message.code = Some(code.to_owned());
    Some(message)
}

fn span(place: &str, width: usize, unit: Encoding, source: &Source<'_>) -> Option<Range<usize>> {
    let place = place.rsplit_once(" (").map_or(place, |(_, place)| place.trim_end_matches(')'));
    let (path, line, column) = located(place)?;
    if !source.is(path) {
        return None;
    }
    let column = column.saturating_sub(1);
    if width < 2 {
        return source.token_at(line, column, unit);
    }
    Some(source.offset(line, column, unit)?..source.offset(line, column + width, unit)?)
}

/// `error: Uncaught (in promise) Error: text`, the line, marks, and the stack.
pub(super) fn parse_uncaught(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Separator);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with("error: Uncaught ")) else {
        return parse(input);
    };
    let text = lines[at].trim_start_matches("error: Uncaught ").trim_start_matches("(in promise) ");
    let mut message = Message::error("deno", None, text);
    message.code = text.split_once(": ").map(|(code, _)| code.to_owned()).filter(|code| code.ends_with("Error"));
    for line in lines[at + 1..].iter().take(200) {
        let Some(place) = line.trim_start().strip_prefix("at ") else { continue };
        let Some(span) = span(place, 1, Encoding::Utf16, &source) else { continue };
        if message.span.is_none() {
            message.span = Some(span);
        } else {
            let name = place.split_once(" (").map_or("the top", |(name, _)| name);
            message.relate(Some(span), format!("called from here, in {name}"));
        }
    }
    vec![message]
}
