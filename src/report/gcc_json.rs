//! GCC's `-fdiagnostics-format=json`, for configurations that ask for it.
//!
//! The built-in table does not: this form leaves out the chain of `required from`, and GCC 15 dropped it. Places are
//! `byte-column`, from 1, the last byte included; `column` may be a display column.

use std::ops::Range;

use serde::Deserialize;

use super::Message;
use super::gcc::{message, said, tag};
use super::source::Source;
use crate::protocol::Severity;
use crate::text::Encoding;

/// The most arrays in one output: one a compiler that the driver started.
const ARRAY_LIMIT: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Diagnostic {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    message: String,
    option: Option<String>,
    #[serde(default)]
    locations: Vec<Location>,
    #[serde(default)]
    children: Vec<Diagnostic>,
}

#[derive(Debug, Deserialize)]
struct Location {
    caret: Option<Point>,
    start: Option<Point>,
    finish: Option<Point>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Point {
    #[serde(default)]
    file: String,
    #[serde(default)]
    line: usize,
    byte_column: Option<usize>,
    column: Option<usize>,
}

/// Messages of the arrays in `output`, and the rest of it, which is text.
pub(super) fn parse(output: &str, source: &Source<'_>) -> (Vec<Message>, String) {
    let mut messages = Vec::new();
    let mut text = String::new();
    let mut rest = output;
    for _ in 0..ARRAY_LIMIT {
        let Some(at) = array(rest) else { break };
        text.push_str(&rest[..at]);
        let mut values = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<Vec<Diagnostic>>();
        if let Some(Ok(diagnostics)) = values.next() {
            for diagnostic in diagnostics {
                add(diagnostic, source, &mut messages);
            }
            rest = &rest[at + values.byte_offset()..];
        } else {
            let line = rest[at..].find('\n').map_or(rest.len(), |end| at + end);
            text.push_str(&rest[at..line]);
            rest = &rest[line..];
        }
    }
    text.push_str(rest);
    (messages, text)
}

/// Where a line begins that an array could begin.
fn array(text: &str) -> Option<usize> {
    let begins = |at: usize| text[at..].starts_with("[{\"kind\"") || text[at..].starts_with("[]");
    if begins(0) { Some(0) } else { text.match_indices('\n').map(|(at, _)| at + 1).find(|&at| begins(at)) }
}

fn add(diagnostic: Diagnostic, source: &Source<'_>, messages: &mut Vec<Message>) {
    let severity = match diagnostic.kind.as_str() {
        "warning" => Severity::Warning,
        "note" => Severity::Information,
        _ => Severity::Error,
    };
    let mut one = message(&diagnostic.message, severity);
    if let Some(option) = diagnostic.option {
        one.code = Some(option);
        tag(&mut one);
    }
    one.span = diagnostic.locations.first().and_then(|location| span(location, source));
    let mut siblings = Vec::new();
    for child in diagnostic.children {
        let place = child.locations.first().and_then(|location| span(location, source));
        if child.kind != "note" {
            siblings.push(child);
        } else if one.span.is_none() {
            one.span = place;
        } else {
            one.relate(place, said(child.message.trim()));
        }
    }
    messages.push(one);
    // GCC groups what it said in one breath.
    for sibling in siblings {
        add(sibling, source, messages);
    }
}

fn span(location: &Location, source: &Source<'_>) -> Option<Range<usize>> {
    let caret = location.caret.as_ref().filter(|caret| source.is(&caret.file))?;
    let start = offset(location.start.as_ref().unwrap_or(caret), source)?;
    let finish = location.finish.as_ref().filter(|finish| source.is(&finish.file));
    // One point alone is only a start: the word there.
    let Some(last) = finish.or(location.start.as_ref().map(|_| caret)) else {
        return source.token(start);
    };
    let end = offset(last, source)?;
    let length = source.text[end..].chars().next().map_or(0, char::len_utf8);
    Some(start..(end + length).max(start))
}

fn offset(point: &Point, source: &Source<'_>) -> Option<usize> {
    let column = point.byte_column.or(point.column)?;
    source.offset(point.line, column.saturating_sub(1), Encoding::Utf8)
}
