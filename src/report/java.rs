//! javac, by the layout that the table of languages asks it for: `FILE:LINE:COLUMN:[PREFERRED,START,END] KIND: text`.
//!
//! The numbers in brackets are offsets in UTF-16 code units from the file's start, so neither tabs (which javac expands to
//! eight in its columns) nor line ends matter, and `-Xjcov` makes it keep the ends of expressions. Should a configuration
//! have taken the layout away, the usual form with the line and a caret below it is read.

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::{Input, Message, token};
use crate::protocol::{Severity, Tag};
use crate::text::Encoding;

pub(super) const TOOL: &str = "javac";

/// The most lines of a message.
const TEXT_LINES: usize = 30;

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Return);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let mut messages: Vec<Message> = Vec::new();
    let mut at = 0;
    while at < lines.len() && messages.len() < super::MESSAGE_LIMIT {
        let line = lines[at];
        at += 1;
        let Some((place, rest)) = header(line, &source) else {
            // `error: text` and `warning: [options] text` are of no place.
            messages.extend(message(line).filter(|_| !line.starts_with(' ')));
            continue;
        };
        let Some(mut message) = message(rest) else { continue };
        match place {
            Place::Offsets { preferred, start, end } => message.span = span(&source, preferred, start, end),
            Place::Line(number) => {
                let (span, skipped) = caret(&lines[at..], number, &source);
                message.span = span;
                at += skipped;
            }
        }
        let more = lines[at..].iter().take_while(|line| is_more(line)).count();
        for line in lines[at..at + more].iter().take(TEXT_LINES) {
            message.text.push('\n');
            message.text.push_str(line);
        }
        at += more;
        messages.push(message);
    }
    messages
}

/// Whether a line of the layout's form begins a message, for [`super::render()`].
pub(super) fn is_header(line: &str) -> bool {
    line.match_indices(":[").any(|(at, _)| offsets(&line[at + 1..]).is_some())
}

/// Whether a line goes on with the message before it.
pub(super) fn is_more(line: &str) -> bool {
    line.starts_with("  ")
}

enum Place {
    Offsets { preferred: usize, start: usize, end: usize },
    Line(usize),
}

fn header<'t>(line: &'t str, source: &Source<'_>) -> Option<(Place, &'t str)> {
    let (number_of_line, rest) = number(source.after(line)?.strip_prefix(':')?)?;
    let rest = rest.strip_prefix(':')?;
    if let Some(text) = rest.strip_prefix(' ') {
        return Some((Place::Line(number_of_line), text));
    }
    let (_, rest) = number(rest)?;
    offsets(rest.strip_prefix(':')?)
}

/// `[94,94,98] text`
fn offsets(text: &str) -> Option<(Place, &str)> {
    let (preferred, rest) = number(text.strip_prefix('[')?)?;
    let (start, rest) = number(rest.strip_prefix(',')?)?;
    let (end, rest) = number(rest.strip_prefix(',')?)?;
    Some((Place::Offsets { preferred, start, end }, rest.strip_prefix("] ")?))
}

fn message(text: &str) -> Option<Message> {
    let (severity, text) = match text.strip_prefix("error: ") {
        Some(text) => (Severity::Error, text),
        None => (Severity::Warning, text.strip_prefix("warning: ")?),
    };
    let mut message = Message::error(TOOL, None, text);
    message.severity = severity;
    // `[unchecked] text`
    if let Some((code, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        message.code = Some(code.to_owned());
        rest.clone_into(&mut message.text);
        if matches!(code, "deprecation" | "removal") {
            message.tags.push(Tag::Deprecated);
        }
    }
    Some(message)
}

/// From the start to the end of what javac means, if that is on one line; else the word it prefers, since of a class or a
/// method it means all of it.
fn span(source: &Source<'_>, preferred: usize, start: usize, end: usize) -> Option<Range<usize>> {
    let preferred = source.offset_of_units(preferred);
    let (start, end) = (source.offset_of_units(start), source.offset_of_units(end));
    let first = source.line_of(start);
    let word = source.token(preferred)?;
    let keyword =
        matches!(&source.text[word.clone()], "class" | "interface" | "enum" | "record" | "new" | "." | "@" | "::");
    // The keyword of a declaration stands for its name.
    if keyword && start != preferred && &source.text[word.clone()] != "." && &source.text[word.clone()] != "::" {
        return next_word(source, &word).or(Some(word));
    }
    if start < end && first == source.line_of(end) {
        return Some(start..end);
    }
    if keyword { next_word(source, &word).or(Some(word)) } else { Some(word) }
}

/// The word after another on the same line.
fn next_word(source: &Source<'_>, word: &Range<usize>) -> Option<Range<usize>> {
    let line = source.line(source.line_of(word.start))?;
    let rest = source.text.get(word.end..line.end)?;
    let start = word.end + (rest.len() - rest.trim_start().len());
    let found = source.text.get(start..line.end).filter(|rest| rest.starts_with(token::is_word))?;
    Some(start..start + token::length(found))
}

/// The line that javac prints again and the caret below it. Details may stand before them.
fn caret(lines: &[&str], number: usize, source: &Source<'_>) -> (Option<Range<usize>>, usize) {
    let own = source.line_text(number);
    if lines.first().is_some_and(|line| line.trim() == own.trim()) {
        let marks = lines.get(1).copied().unwrap_or_default();
        if marks.trim() == "^" {
            let column = Encoding::Utf16.count(marks.split('^').next().unwrap_or_default());
            return (source.token_at(number, column, Encoding::Utf16), 2);
        }
        return (source.trimmed(number), 1);
    }
    (source.trimmed(number), 0)
}
