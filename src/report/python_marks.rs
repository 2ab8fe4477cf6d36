//! Python's `~~^~~` → byte ranges of the program.
//!
//! Below a frame stand lines of source without their common indentation, each with marks below it where the instruction
//! lies. They show where on the printed line; the program's own line says which bytes those are.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::source::{Source, number};
use super::token;

/// What a column of a mark counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Cells of a terminal: wide characters have two.
    Cell,
    /// Code points.
    Point,
}

impl Unit {
    fn width(self, character: char) -> usize {
        // Python gives marks that combine a cell of their own.
        if self == Self::Cell && character.width() == Some(2) { 2 } else { 1 }
    }

    /// Byte offset of a column; `None` inside a character.
    fn offset(self, text: &str, column: usize) -> Option<usize> {
        let mut seen = 0;
        for (at, character) in text.char_indices() {
            if seen >= column {
                return (seen == column).then_some(at);
            }
            seen += self.width(character);
        }
        Some(text.len())
    }
}

/// Range of what is marked in `rows`, the lines below a frame at the one-based line `number`.
pub(super) fn marked(source: &Source<'_>, line: usize, rows: &[&str], unit: Unit) -> Option<Range<usize>> {
    let mut current = line;
    let mut shown = None;
    let mut first: Option<Range<usize>> = None;
    let mut whole: Option<Range<usize>> = None;
    for row in rows {
        if let Some((printed, shown_line)) = shown.filter(|_| is_marks(row)) {
            let part = part(source, shown_line, printed, row, unit)?;
            first = Some(first.map_or(part.clone(), |first| first.start..part.end.max(first.start)));
            continue;
        }
        let left_out = row.trim_start().strip_prefix("...<").and_then(number);
        if let Some((count, " lines>...")) = left_out {
            current = current.checked_add(count)?;
            continue;
        }
        // What is printed is not what was sent: a file that the program wrote over, or a fake.
        if source.line_text(current).trim() != row.trim() {
            break;
        }
        let here = source.trimmed(current)?;
        whole = Some(whole.map_or(here.clone(), |whole| whole.start..here.end.max(whole.start)));
        shown = Some((*row, current));
        current += 1;
    }
    first.or(match unit {
        _ if current > line + 1 => whole,
        Unit::Cell => unmarked(source, line),
        Unit::Point => None,
    })
}

fn is_marks(row: &str) -> bool {
    row.contains(['^', '~']) && row.chars().all(|character| matches!(character, '^' | '~') || character.is_whitespace())
}

/// The marked part of one line.
fn part(source: &Source<'_>, line: usize, printed: &str, marks: &str, unit: Unit) -> Option<Range<usize>> {
    let own = source.line(line)?;
    let text = &source.text[own.clone()];
    let indentation = text.len() - text.trim_start().len();
    let content = text.trim();
    let printed_indentation = printed.chars().take_while(|character| character.is_whitespace()).count();
    let from = marks.chars().position(|mark| matches!(mark, '^' | '~'))?;
    let to = marks.trim_end().chars().count();
    let start = from.saturating_sub(printed_indentation);
    let end = to.saturating_sub(printed_indentation);
    let read = |unit: Unit| {
        let (start, end) = (unit.offset(content, start)?, unit.offset(content, end)?);
        (start < end && !cuts_word(content, start) && !cuts_word(content, end)).then_some(start..end)
    };
    // Releases differ in what they count; the right reading begins and ends between words.
    let other = if unit == Unit::Cell { Unit::Point } else { Unit::Cell };
    let simple = || {
        let (start, end) = (Unit::Point.offset(content, start)?, Unit::Point.offset(content, end)?);
        (start < end).then_some(start..end)
    };
    let found = read(unit).or_else(|| read(other)).or_else(simple)?;
    let base = own.start + indentation;
    // One mark is only a start: the word there.
    let end = if to - from == 1 { found.start + token::length(&content[found.start..]) } else { found.end };
    Some(base + found.start..base + end.max(found.end))
}

fn cuts_word(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back().is_some_and(token::is_word);
    before && text[at..].chars().next().is_some_and(token::is_word)
}

/// A line without marks. Python leaves them out where they would be under the whole line, and since 3.13 also where they
/// would be under the whole of a call that is returned or assigned.
fn unmarked(source: &Source<'_>, line: usize) -> Option<Range<usize>> {
    let trimmed = source.trimmed(line)?;
    let text = &source.text[trimmed.clone()];
    let value = match text.strip_prefix("return ") {
        Some(value) => value,
        None => text.split_once(" = ").map(|(_, value)| value)?,
    };
    let value = value.trim_start();
    let name = value.find(|character| !token::is_word(character) && character != '.').filter(|&at| at > 0)?;
    let closes = closing(&value[name..])?;
    (name + closes == value.len()).then(|| trimmed.end - value.len()..trimmed.end)
}

/// Bytes of `text` up to the bracket that closes its first character.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let length = token::length(&text[at..]).max(1);
        match &text[at..at + length] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += length;
        if depth == 0 {
            return (text.starts_with('(')).then_some(at);
        }
    }
    None
}
