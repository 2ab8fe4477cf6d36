//! GCC and Clang, while compiling: their text with byte columns, and what the linker says.
//!
//! A message is `FILE:LINE:COLUMN: KIND: text`, with the line and `~~^~~` below it. The column names the byte of the `^`
//! exactly; the `~` on its sides say how far the place goes, in cells of a terminal. Notes after a message belong to it, and
//! so does the chain of `required from` before it, which is how an error inside a template of the standard library gets its
//! place in the program. [`super::gcc_json`] reads GCC's other form.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::source::{LineEnds, Source, located, number};
use super::{Input, Message, gcc_json, token};
use crate::protocol::{Severity, Tag};
use crate::text::Encoding;

pub(super) const TOOL: &str = "g++";

/// How many cells a tab goes to, GCC's default.
const TAB: usize = 8;

/// What a line of GCC's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Warning,
    Note,
    /// `required from here`
    Required,
}

#[derive(Debug)]
struct Entry<'a> {
    kind: Kind,
    /// Line and column, where it is in the program.
    place: Option<(usize, usize)>,
    text: &'a str,
    /// Index of the line after it.
    next: usize,
}

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let (mut messages, text) = gcc_json::parse(input.stderr, &source);
    let lines: Vec<&str> = text.lines().collect();
    messages.extend(read(&lines, &source));
    messages
}

/// State while reading from top to bottom.
#[derive(Debug, Default)]
struct Reader {
    messages: Vec<Message>,
    /// Places of the program that the next message was required from.
    required: Vec<(Range<usize>, String)>,
    /// Place of the `#include` that leads to the next message.
    included: Option<Range<usize>>,
    /// The last place, and the range that its marks gave it: GCC does not print a line twice running.
    last: Option<((usize, usize), Range<usize>)>,
}

fn read(lines: &[&str], source: &Source<'_>) -> Vec<Message> {
    let mut reader = Reader::default();
    for (at, line) in lines.iter().enumerate() {
        if let Some(entry) = entry(line, at, source) {
            reader.entry(&entry, lines, source);
        } else if let Some(place) = included(line, source) {
            reader.included = Some(place);
        } else if let Some(message) = linked(line, source) {
            reader.messages.push(message);
        }
        if reader.messages.len() > super::MESSAGE_LIMIT {
            break;
        }
    }
    reader.messages
}

impl Reader {
    fn span(&mut self, place: (usize, usize), rows: &[&str], source: &Source<'_>) -> Option<Range<usize>> {
        let marked = marks(rows, place.0);
        if let Some((_, known)) = self.last.as_ref().filter(|(last, _)| marked.is_none() && *last == place) {
            return Some(known.clone());
        }
        let span = span(source, place.0, place.1, marked.unwrap_or_default())?;
        self.last = Some((place, span.clone()));
        Some(span)
    }

    fn entry(&mut self, entry: &Entry<'_>, lines: &[&str], source: &Source<'_>) {
        let rows = &lines[entry.next.min(lines.len())..];
        // What would be dropped for its number is not looked for either.
        let wanted = match entry.kind {
            Kind::Required => self.required.len() < super::MESSAGE_LIMIT,
            Kind::Note => self.messages.last().is_some_and(|last| last.related.len() < super::RELATED_LIMIT),
            Kind::Error | Kind::Warning => true,
        };
        let span = entry.place.filter(|_| wanted).and_then(|place| self.span(place, rows, source));
        match entry.kind {
            Kind::Required => self.required.extend(span.map(|span| (span, entry.text.trim().to_owned()))),
            Kind::Note => {
                let Some(last) = self.messages.last_mut() else { return };
                if last.span.is_none() {
                    last.span = span;
                } else {
                    last.relate(span, said(entry.text.trim()));
                }
            }
            Kind::Error | Kind::Warning => {
                let severity = if entry.kind == Kind::Error { Severity::Error } else { Severity::Warning };
                let mut message = message(entry.text, severity);
                let mut required = std::mem::take(&mut self.required).into_iter().rev();
                let included = self.included.take();
                message.span = span.or_else(|| required.next().map(|(span, _)| span)).or(included);
                for (span, text) in required {
                    message.relate(Some(span), text);
                }
                self.messages.push(message);
            }
        }
    }
}

/// A message from its text, which may end with the option that gives it.
pub(super) fn message(text: &str, severity: Severity) -> Message {
    let mut message = Message::error(TOOL, None, said(text));
    message.severity = severity;
    if let Some((before, option)) = message.text.strip_suffix(']').and_then(|text| text.rsplit_once(" [-W")) {
        let option = option.strip_prefix("error=").unwrap_or(option);
        message.code = Some(format!("-W{option}"));
        message.text = before.to_owned();
    }
    tag(&mut message);
    message
}

/// Tags by the option.
pub(super) fn tag(message: &mut Message) {
    let option = message.code.as_deref().unwrap_or_default();
    if option.starts_with("-Wunused") {
        message.tags.push(Tag::Unnecessary);
    } else if option.starts_with("-Wdeprecated") {
        message.tags.push(Tag::Deprecated);
    }
}

/// Text with `\U0001f600` as the character: with plain ASCII as its locale GCC escapes what is beyond.
pub(super) fn said(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\U") {
        let code = rest.get(at + 2..at + 10).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let character = code.and_then(char::from_u32);
        said.push_str(&rest[..at]);
        match character {
            Some(character) => said.push(character),
            None => said.push_str("\\U"),
        }
        rest = &rest[at + if character.is_some() { 10 } else { 2 }..];
    }
    said.push_str(rest);
    said
}

const KINDS: &[(&str, Kind)] = &[
    ("error: ", Kind::Error),
    ("fatal error: ", Kind::Error),
    ("internal compiler error: ", Kind::Error),
    ("sorry, unimplemented: ", Kind::Error),
    ("warning: ", Kind::Warning),
    ("note: ", Kind::Note),
];

/// `FILE:LINE:COLUMN: KIND: text` or `FILE:LINE:COLUMN:   required from here`.
fn entry<'a>(line: &'a str, at: usize, source: &Source<'_>) -> Option<Entry<'a>> {
    let next = at + 1;
    if let Some(rest) = source.after(line).and_then(|rest| rest.strip_prefix(':'))
        && let Some((number_of_line, rest)) = number(rest)
    {
        let rest = rest.strip_prefix(':')?;
        let (column, rest) = number(rest).map_or((0, rest), |(column, rest)| (column, rest));
        let rest = rest.strip_prefix(':').unwrap_or(rest).strip_prefix(' ')?;
        let (kind, text) = kind(rest)?;
        return Some(Entry { kind, place: Some((number_of_line, column)), text, next });
    }
    // Another file: its messages may concern the program all the same. cc1plus: says things of no file at all.
    let (before, rest) = line.split_once(": ")?;
    let elsewhere = located(before).is_some() || matches!(before, "cc1plus" | "g++" | "cc1");
    let (kind, text) = kind(rest).filter(|_| elsewhere)?;
    Some(Entry { kind, place: None, text, next })
}

fn kind(rest: &str) -> Option<(Kind, &str)> {
    let known = KINDS.iter().find_map(|(word, kind)| rest.strip_prefix(word).map(|text| (*kind, text)));
    known.or_else(|| rest.trim_start().starts_with("required ").then_some((Kind::Required, rest)))
}

/// `In file included from main.cpp:1:` and the lines that continue it.
fn included(line: &str, source: &Source<'_>) -> Option<Range<usize>> {
    let path =
        line.trim_start().strip_prefix("In file included ").unwrap_or(line).trim_start().strip_prefix("from ")?;
    let (line, _) = number(source.after(path)?.strip_prefix(':')?)?;
    source.trimmed(line)
}

/// `FILE:LINE:(.text+0x7): undefined reference to 'name'`, which names a line thanks to `-g`.
fn linked(line: &str, source: &Source<'_>) -> Option<Message> {
    let text = line.split_once("undefined reference to ").map(|(_, name)| name);
    let text = text.or_else(|| line.split_once("multiple definition of ").map(|(_, name)| name))?;
    let name = text.trim_matches(|quote| matches!(quote, '`' | '\'' | ':'));
    let start = line.len() - text.len();
    let (before, what) = line[..start].split_at(line[..start].rfind(": ").map_or(0, |at| at + 2));
    let mut message = Message::error("ld", None, format!("{what}'{name}'"));
    let place = before.strip_prefix("/usr/bin/ld: ").unwrap_or(before);
    if let Some((number, _)) = source.after(place).and_then(|rest| number(rest.strip_prefix(':')?)) {
        // `space::name(int)` stands as `name` on the line.
        let plain = name.split(['(', '<']).next().unwrap_or(name);
        let plain = plain.rsplit("::").next().unwrap_or(plain);
        message.span = source.word_on(number, plain).or_else(|| source.trimmed(number));
    }
    Some(message)
}

/// The place at a one-based byte column, and as many cells to its left and right as are marked.
fn span(source: &Source<'_>, line: usize, column: usize, (left, right): (usize, usize)) -> Option<Range<usize>> {
    let Some(column) = column.checked_sub(1) else {
        return source.trimmed(line);
    };
    let here = source.offset(line, column, Encoding::Utf8)?;
    let whole = source.line(line)?;
    if left + right == 0 {
        return source.token(here);
    }
    let text = &source.text[whole.clone()];
    let caret = cells(&text[..here - whole.start]);
    let start = offset_of_cell(text, caret.saturating_sub(left));
    let end = offset_of_cell(text, caret + right + 1);
    Some(whole.start + start..(whole.start + end).max(here))
}

/// How many cells are marked before and after the `^` that stands below a line.
fn marks(rows: &[&str], line: usize) -> Option<(usize, usize)> {
    // An excerpt is rows of `   12 | text` and `      | marks`, of several lines where the place has several.
    let rows = rows.iter().take(16).map_while(|row| {
        let (margin, text) = row.split_once(" |")?;
        let margin = margin.trim();
        (margin.is_empty() || margin.bytes().all(|digit| digit.is_ascii_digit())).then_some((margin, text))
    });
    let (_, marks) =
        rows.skip_while(|(margin, _)| margin.parse() != Ok(line)).nth(1).filter(|(margin, _)| margin.is_empty())?;
    let at = marks.find('^')?;
    let left = marks[..at].bytes().rev().take_while(|&mark| mark == b'~').count();
    let right = marks[at + 1..].bytes().take_while(|&mark| mark == b'~').count();
    Some((left, right))
}

/// Cells that a text takes from the start of its line.
fn cells(text: &str) -> usize {
    text.chars().fold(0, after)
}

fn after(at: usize, character: char) -> usize {
    if character == '\t' { (at / TAB + 1) * TAB } else { at + character.width().unwrap_or(1) }
}

/// Byte offset of the character that begins at a cell or holds it; the end of the text past it.
fn offset_of_cell(text: &str, cell: usize) -> usize {
    let mut at = 0;
    for (offset, character) in text.char_indices() {
        if at >= cell && !token::is_joined(character) {
            return offset;
        }
        at = after(at, character);
    }
    text.len()
}
