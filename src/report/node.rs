//! Node: uncaught errors with their stacks and causes, syntax errors, values thrown, rejections nobody handled.
//!
//! Node prints the place that threw (`FILE:LINE`, the line, carets below), then what was thrown, then the stack that it
//! carries. The stack says more: it names columns, and a place in the program when the throw was in Node's own code. Columns
//! count UTF-16 code units, in the carets too.

use std::ops::Range;

use super::source::{LineEnds, Source, located, number_at_end};
use super::{Input, Message, token};
use crate::text::Encoding;

const TOOL: &str = "node";

/// The most lines of an error's text.
const TEXT_LINES: usize = 30;

/// The place that threw.
#[derive(Debug)]
struct Header {
    /// Range in the program, where it is there.
    span: Option<Range<usize>>,
    /// Index of the first line after it.
    next: usize,
}

/// A frame of the stack in the program.
#[derive(Debug)]
struct Frame<'a> {
    line: usize,
    column: usize,
    function: &'a str,
}

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Separator);
    let lines: Vec<&str> = input.stderr.lines().collect();
    // An uncaught error ends the process, so its header is the last one.
    let Some(header) = (0..lines.len()).rev().find_map(|at| header(&lines, at, &source)) else {
        return Vec::new();
    };
    vec![message(&lines[header.next..], &header, &source)]
}

/// `FILE:LINE`, the line, and carets below it.
fn header(lines: &[&str], at: usize, source: &Source<'_>) -> Option<Header> {
    let (path, line) = number_at_end(lines[at])?;
    let path = path.strip_suffix(':')?;
    let own = source.is(path);
    let carets = lines.get(at + 2).copied().unwrap_or_default();
    if carets.contains('^') && carets.trim_matches(|character| matches!(character, ' ' | '\t' | '^')).is_empty() {
        // A stack may hold text that looks like a path; Node's own headers have a path or a name of its own.
        if !own && path.starts_with(' ') {
            return None;
        }
        let span = own.then(|| underlined(source, line, carets)).flatten();
        return Some(Header { span, next: at + 3 });
    }
    // An unexpected end of input has no carets: it is past the last line.
    let blank =
        carets.trim().is_empty() && lines.get(at + 1..at + 6)?.iter().any(|line| line.starts_with("SyntaxError"));
    (own && blank).then(|| Header { span: source.trimmed(line), next: at + 2 })
}

/// Range of the carets below a line; one caret is only a start.
fn underlined(source: &Source<'_>, line: usize, carets: &str) -> Option<Range<usize>> {
    let start = carets.chars().take_while(|character| *character != '^').count();
    let length = carets.chars().filter(|character| *character == '^').count();
    let from = mark_aware(source, line, start)?;
    if length > 1 {
        let to = mark_aware(source, line, start + length)?;
        if from < to {
            return Some(from..to);
        }
    }
    word(source, from)
}

/// Byte offset of a zero-based column. Node counts a byte order mark on the first line.
fn mark_aware(source: &Source<'_>, line: usize, column: usize) -> Option<usize> {
    let marked = line == 1 && source.text.starts_with('\u{feff}');
    source.offset(line, column.saturating_sub(usize::from(marked)), Encoding::Utf16)
}

/// The word at an offset; for `new Name` both words, since a stack points at `new`.
fn word(source: &Source<'_>, offset: usize) -> Option<Range<usize>> {
    let found = source.token(offset)?;
    let rest = &source.text[found.end..];
    if &source.text[found.clone()] != "new" || !rest.starts_with(' ') {
        return Some(found);
    }
    let name = rest.trim_start_matches(' ');
    let length = name.find(|character| !token::is_word(character) && character != '.').unwrap_or(name.len());
    Some(found.start..found.end + (rest.len() - name.len()) + length)
}

fn message(lines: &[&str], header: &Header, source: &Source<'_>) -> Message {
    let report = lines.iter().position(|line| line.starts_with("Node.js v")).map_or(lines, |end| &lines[..end]);
    let stack = report.iter().position(|line| is_frame(line)).unwrap_or(report.len());
    let text = text(&report[..stack]);
    let end = report[stack..].iter().position(|line| !is_frame(line)).map_or(report.len(), |end| stack + end);
    let frames: Vec<Frame<'_>> = report[stack..end].iter().filter_map(|line| frame(line, source)).take(64).collect();
    let mut spans = frames.iter().map(|frame| (place(frame, source), frame));
    let anchor = spans.next().map(|(span, _)| span);
    let mut message = Message::error(TOOL, None, "");
    message.code = class(&text);
    message.span = match (&header.span, anchor.flatten()) {
        // The carets of a header may be under more than a word, where both begin at the same place.
        (Some(thrown), Some(anchor)) if thrown.start == anchor.start && thrown.end > anchor.end => Some(thrown.clone()),
        (Some(thrown), Some(anchor)) => {
            if source.line_of(thrown.start) != source.line_of(anchor.start) {
                message.relate(Some(thrown.clone()), "thrown here");
            }
            Some(anchor)
        }
        (Some(thrown), None) => Some(thrown.clone()),
        (None, anchor) => anchor,
    };
    message.text = if message.code.is_some() { text } else { format!("Uncaught {text}") };
    let mut previous = frames.first().map(|frame| (frame.line, frame.column));
    for (span, frame) in spans {
        let here = Some((frame.line, frame.column));
        if here == previous {
            continue;
        }
        previous = here;
        let label = match frame.function.strip_prefix("async ").unwrap_or(frame.function) {
            "" | "Object.<anonymous>" => "called from here".to_owned(),
            function => format!("called from here, in {function}"),
        };
        message.relate(span, label);
    }
    causes(&report[end..], &mut message, source);
    message
}

/// What was thrown, without the blank lines around it and Node's advice below it.
fn text(lines: &[&str]) -> String {
    let advice = |line: &&str| line.starts_with("(Use `node --trace-uncaught");
    let end = lines.iter().position(advice).unwrap_or(lines.len());
    let lines = lines[..end].iter().skip_while(|line| line.trim().is_empty() || **line == "Uncaught:");
    let lines: Vec<&str> = lines.take(TEXT_LINES).copied().collect();
    lines.join("\n").trim_end().trim_end_matches(" {").to_owned()
}

/// `TypeError` of `TypeError: text` and of `TypeError [CODE]: text`; a value that was thrown has none.
fn class(text: &str) -> Option<String> {
    let line = text.trim_start_matches('[').lines().next()?;
    let name = line.split([':', ' ', ']']).next()?;
    let known = name.chars().all(|character| token::is_word(character) || character == '.')
        && name.starts_with(|first: char| first.is_alphabetic() || matches!(first, '_' | '$'));
    let rest = line.get(name.len()..).unwrap_or_default();
    let shaped =
        rest.starts_with(": ") || rest == ":" || rest.starts_with(" [") || rest.is_empty() && name.ends_with("Error");
    (known && shaped).then(|| name.to_owned())
}

fn is_frame(line: &str) -> bool {
    line.starts_with("    at ")
}

/// `at FUNCTION (PATH:LINE:COLUMN)` or `at PATH:LINE:COLUMN`, in the program.
fn frame<'a>(line: &'a str, source: &Source<'_>) -> Option<Frame<'a>> {
    let line = line.trim_start().strip_prefix("at ")?.trim_end_matches(" {");
    let (place, closed) = line.strip_suffix(')').map_or((line, false), |place| (place, true));
    let (rest, line_number, column) = located(place)?;
    // A function's name and a path may hold anything: the program's path is known, so it is what the rest must end with.
    let bare = rest.strip_prefix("async ").unwrap_or(rest);
    if !closed && source.is(bare) {
        return Some(Frame { line: line_number, column, function: "" });
    }
    let (at, _) = rest.match_indices(" (").find(|(at, _)| source.is(&rest[at + 2..])).filter(|_| closed)?;
    Some(Frame { line: line_number, column, function: &rest[..at] })
}

fn place(frame: &Frame<'_>, source: &Source<'_>) -> Option<Range<usize>> {
    match mark_aware(source, frame.line, frame.column.saturating_sub(1)) {
        Some(offset) => word(source, offset),
        None => source.trimmed(frame.line),
    }
}

/// `[cause]: Error: text` and the members of `[errors]: [`, each with a stack further in.
fn causes(lines: &[&str], message: &mut Message, source: &Source<'_>) {
    let mut named: Option<String> = None;
    for (at, line) in lines.iter().enumerate() {
        if message.related.len() == super::RELATED_LIMIT {
            break;
        }
        let inner = line.trim_start();
        if let Some(cause) = inner.strip_prefix("[cause]: ") {
            named = Some(format!("caused by {}", cause.trim_end_matches(" {")));
        } else if inner.starts_with("at ") {
            let found = frame(line, source).filter(|_| named.is_some());
            if let Some(span) = found.and_then(|frame| place(&frame, source)) {
                message.relate(Some(span), named.take().unwrap_or_default());
            }
        } else if named.is_none() && lines.get(at + 1).is_some_and(|next| next.trim_start().starts_with("at ")) {
            named = class(inner).map(|_| format!("one of its errors: {inner}"));
        }
    }
}
