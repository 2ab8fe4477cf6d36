//! Go: what `go build` says, and panics. Columns count bytes from 1.

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::{Input, Message, token};
use crate::protocol::Tag;
use crate::text::Encoding;

const TOOL: &str = "go";

/// The most further lines of a message.
const TEXT_LINES: usize = 20;

/// `./main.go:6:15: text`, further lines behind a tab.
pub(super) fn parse_build(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let mut more = 0;
    for line in input.stderr.lines() {
        if let Some(inner) = line.strip_prefix('\t') {
            let Some(last) = messages.last_mut().filter(|_| more < TEXT_LINES) else { continue };
            more += 1;
            if last.related.len() == super::RELATED_LIMIT {
                continue;
            }
            if let Some((line, column, text)) = located(inner, &source) {
                last.relate(source.token_at(line, column.saturating_sub(1), Encoding::Utf8), text);
            } else {
                last.text.push('\n');
                last.text.push_str(inner);
            }
            continue;
        }
        if messages.len() == super::MESSAGE_LIMIT {
            break;
        }
        if let Some((line, column, text)) = located(line, &source) {
            if text == "too many errors" {
                continue;
            }
            more = 0;
            let mut message = Message::error(TOOL, span(&source, line, column, text), text);
            if text.starts_with("declared and not used")
                || text.contains(" imported ") && text.ends_with("and not used")
            {
                message.tags.push(Tag::Unnecessary);
            }
            messages.push(message);
        } else if let Some((_, text)) = line.split_once("·f: ").filter(|_| line.starts_with("runtime.")) {
            messages.push(Message::error(TOOL, None, text));
        }
    }
    messages
}

/// `PATH:LINE:COLUMN: text` or `PATH:LINE: text`, in the program.
fn located<'t>(line: &'t str, source: &Source<'_>) -> Option<(usize, usize, &'t str)> {
    let (line, rest) = number(source.after(line)?.strip_prefix(':')?)?;
    match rest.strip_prefix(':').and_then(number) {
        Some((column, rest)) => Some((line, column, rest.strip_prefix(": ")?)),
        None => Some((line, 0, rest.strip_prefix(": ")?)),
    }
}

fn span(source: &Source<'_>, line: usize, column: usize, text: &str) -> Option<Range<usize>> {
    let Some(column) = column.checked_sub(1) else {
        return source.trimmed(line);
    };
    let start = source.offset(line, column, Encoding::Utf8);
    if let Some(length) = start.and_then(|start| quoted(&source.text[start..], text)) {
        return start.map(|start| start..start + length);
    }
    source.token_at(line, column, Encoding::Utf8)
}

/// Bytes of the expression that a message says again and that stands at its place: `cannot use EXPRESSION (…`.
fn quoted(here: &str, text: &str) -> Option<usize> {
    const BEFORE: &[&str] =
        &["cannot use ", "invalid operation: cannot call non-function ", "invalid operation: ", "cannot range over "];
    // The expression is the longest start of what is said that also stands here, if it ends where a word does.
    let longest = |said: &str| {
        let same = here.char_indices().zip(said.chars()).take_while(|((_, here), said)| here == said && *said != '\n');
        let end = same.last().map(|((at, here), _)| at + here.len_utf8())?;
        let trimmed = said[..end].trim_end().len();
        let cut = said[trimmed..].starts_with(token::is_word) && said[..trimmed].ends_with(token::is_word);
        (trimmed > 0 && !cut).then_some(trimmed)
    };
    BEFORE.iter().filter_map(|before| text.strip_prefix(before)).find_map(longest)
}

/// A panic or a fatal error, and where its goroutines were.
pub(super) fn parse_panic(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    // The last one that goroutines follow; a panic while panicking is said again under the first.
    let headed = |line: &str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    let Some(start) = lines.iter().rposition(|line| headed(line)) else {
        return Vec::new();
    };
    let Some(stack) = lines[start..].iter().position(|line| is_goroutine(line)).map(|at| start + at) else {
        return Vec::new();
    };
    vec![message(&lines[start..stack], &lines[stack..], &source)]
}

/// `goroutine 1 [running]:`
fn is_goroutine(line: &str) -> bool {
    line.starts_with("goroutine ") && line.ends_with("]:")
}

fn message(head: &[&str], stacks: &[&str], source: &Source<'_>) -> Message {
    let text: Vec<&str> =
        head.iter().take(TEXT_LINES).map(|line| line.trim()).take_while(|line| !line.is_empty()).collect();
    let mut message = Message::error(TOOL, None, text.join("\n"));
    let fatal = head.first().is_some_and(|line| line.starts_with("fatal error: "));
    message.code = Some(if fatal { "fatal error" } else { "panic" }.to_owned());
    let mut goroutine = "";
    let mut function = "";
    // Whether the goroutine at hand has a place in the program already.
    let mut placed = false;
    let mut first = true;
    for line in stacks {
        if is_goroutine(line) {
            first = goroutine.is_empty();
            goroutine = line.trim_end_matches(':');
            placed = false;
        } else if let Some(place) = line.strip_prefix('\t') {
            let Some((number, _)) = source.after(place).and_then(|rest| number(rest.strip_prefix(':')?)) else {
                continue;
            };
            let span = source.trimmed(number);
            if message.span.is_none() {
                message.span = span;
            } else if first {
                message.relate(span, label(function));
            } else if !placed {
                // Of another goroutine only where it is.
                message.relate(span, goroutine);
            }
            placed = true;
        } else if !line.trim().is_empty() {
            function = line;
        }
    }
    message
}

fn label(function: &str) -> String {
    if let Some(creator) = function.strip_prefix("created by ") {
        return format!("goroutine started here, in {creator}");
    }
    let name = function.rfind('(').map_or(function, |at| &function[..at]);
    format!("called from here, in {name}")
}
