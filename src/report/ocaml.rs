//! OCaml: `File "main.ml", line 2, characters 35-47:`, zero-based bytes, then the lines, then what is wrong; and what an
//! exception leaves when nobody catches it.

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::spot::TEXT_LINES;
use super::{Input, Message};
use crate::protocol::{Severity, Tag};
use crate::text::Encoding;

const TOOL: &str = "ocaml";

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let mut span = None;
    let mut more = TEXT_LINES;
    for line in input.stderr.lines() {
        if let Some(place) = line.strip_prefix("File \"") {
            span = located(place, &source);
            more = TEXT_LINES;
        } else if let Some((severity, code, text)) = headed(line) {
            if messages.len() > super::MESSAGE_LIMIT {
                break;
            }
            let mut message = Message::error(TOOL, span.take(), text);
            message.severity = severity;
            if code.is_some_and(|code| code.contains("unused")) {
                message.tags.push(Tag::Unnecessary);
            } else if code == Some("deprecated") {
                message.tags.push(Tag::Deprecated);
            }
            message.code = code.map(str::to_owned);
            messages.push(message);
            more = 0;
        } else if more < TEXT_LINES && !line.is_empty() {
            more += 1;
            if let Some(last) = messages.last_mut() {
                last.text.push('\n');
                last.text.push_str(line.trim());
            }
        }
    }
    messages
}

/// `Error: text`, `Warning 26 [unused-var]: text`, `Alert deprecated: text`, `Error (warning 8 [partial-match]): text`
fn headed(line: &str) -> Option<(Severity, Option<&str>, &str)> {
    let (head, text) = line.split_once(": ")?;
    let code = head.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(code, _)| code);
    if head == "Error" || head.starts_with("Error (") {
        Some((Severity::Error, code, text))
    } else if head.starts_with("Warning ") {
        Some((Severity::Warning, code, text))
    } else {
        Some((Severity::Warning, Some(head.strip_prefix("Alert ")?), text))
    }
}

/// `main.ml", line 2, characters 35-47…` or `main.ml", lines 3-4, characters 2-13…`
fn located(place: &str, source: &Source<'_>) -> Option<Range<usize>> {
    let (file, rest) = place.split_once("\", line")?;
    if !source.is(file) {
        return None;
    }
    let (first, rest) = number(rest.strip_prefix("s ").or_else(|| rest.strip_prefix(' '))?)?;
    let (last, rest) = rest.strip_prefix('-').and_then(number).unwrap_or((first, rest));
    let (start, rest) = number(rest.strip_prefix(", characters ")?)?;
    let (end, _) = number(rest.strip_prefix('-')?)?;
    let from = source.offset(first, start, Encoding::Utf8);
    let to = source.offset(last, end, Encoding::Utf8);
    match (from, to) {
        (Some(from), Some(to)) if from < to => Some(from..to),
        // An error at the end of the file has no width, and no line of its own.
        (Some(from), _) if start > 0 => source.token(from),
        _ => source.trimmed(first),
    }
}

/// `Fatal error: exception Failure("bad")`, then `Raised at …` and `Called from …`.
pub(super) fn parse_exception(input: &Input<'_>) -> Vec<Message> {
    const HEAD: &str = "Fatal error: exception ";
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with(HEAD)) else { return Vec::new() };
    let text = lines[at].strip_prefix(HEAD).unwrap_or_default();
    let mut message = Message::error(TOOL, None, format!("exception {text}"));
    message.code = text.split(['(', ' ']).next().map(str::to_owned).filter(|code| code != "File");
    for line in &lines[at + 1..] {
        let Some((head, place)) = line.split_once("file \"") else { continue };
        let Some(span) = located(place, &source) else { continue };
        if message.span.is_none() {
            message.span = Some(span);
        } else {
            let name = head.trim_end_matches(" in ").rsplit(' ').next().unwrap_or_default();
            message.relate(Some(span), format!("called from here, in {name}"));
        }
    }
    // Some name the place in the exception itself: a match that failed, an assertion.
    if message.span.is_none() {
        message.span = text.split_once("File \"").and_then(|(_, place)| located(place, &source));
    }
    vec![message]
}
