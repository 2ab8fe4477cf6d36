//! The program as a tool sees it: its name, its lines, the words on them. It knows nothing of any tool's wording.
//!
//! Tools disagree on what ends a line and on what a column counts; a parser says which, and gets byte ranges that lie on
//! character boundaries inside the program, whatever numbers it was given.

use std::cell::OnceCell;
use std::ops::Range;

use super::Input;
use super::token;
use crate::text::Encoding;

/// The most of one line that is looked at, in bytes, so that a hundred messages on a huge line still cost little.
const LINE_LIMIT: usize = 64 * 1024;

/// The most blank lines that are gone over in search for one with code.
const BLANK_LIMIT: usize = 1000;

/// What ends a line for a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    /// `\n`, after which a `\r` before it is no part of the line either: Go, GCC, shells.
    Feed,
    /// Also a `\r` alone: Python, javac.
    Return,
    /// Also U+2028 and U+2029: JavaScript.
    Separator,
}

/// The program, indexed for one tool.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    path: &'a str,
    name: &'a str,
    starts: Vec<usize>,
    /// UTF-16 offset of each line's start.
    units: OnceCell<Vec<usize>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(input: &Input<'a>, ends: LineEnds) -> Self {
        let text = input.program.as_str();
        let mut starts = vec![0];
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let ended = match character {
                '\n' => true,
                '\r' => ends != LineEnds::Feed && characters.peek().is_none_or(|(_, next)| *next != '\n'),
                '\u{2028}' | '\u{2029}' => ends == LineEnds::Separator,
                _ => false,
            };
            if ended {
                starts.push(at + character.len_utf8());
            }
        }
        let name = input.path.rsplit('/').next().unwrap_or(input.path);
        Self { text, path: input.path, name, starts, units: OnceCell::new() }
    }

    /// Name of the file without its folder.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// Whether a path that a tool printed is the program's.
    pub(super) fn is(&self, path: &str) -> bool {
        if let Some(url) = path.strip_prefix("file://") {
            // At most three characters for a byte: what is longer is not decoded to find that out.
            return url.len() <= 3 * self.path.len() && percent_decoded(url) == self.path.as_bytes();
        }
        path == self.path || path.strip_prefix("./").unwrap_or(path) == self.name
    }

    /// What follows the program's path at the start of a line that a tool printed.
    pub(super) fn after<'t>(&self, line: &'t str) -> Option<&'t str> {
        let line = line.strip_prefix("./").unwrap_or(line);
        [self.path, self.name].into_iter().filter(|path| !path.is_empty()).find_map(|path| line.strip_prefix(path))
    }

    /// Byte range of a one-based line without its line end and without a byte order mark.
    pub(super) fn line(&self, number: usize) -> Option<Range<usize>> {
        let index = number.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        let line = self.text[start..end].trim_end_matches(['\n', '\r', '\u{2028}', '\u{2029}']);
        let line = &line[..floor(line, LINE_LIMIT)];
        let mark = if line.starts_with('\u{feff}') && start == 0 { '\u{feff}'.len_utf8() } else { 0 };
        Some(start + mark..start + line.len())
    }

    /// The text of a one-based line.
    pub(super) fn line_text(&self, number: usize) -> &'a str {
        self.line(number).map_or("", |line| &self.text[line])
    }

    /// A one-based line without the white space around it; the nearest line above with code where it has none or does not
    /// exist, since an unclosed block is reported at the end of the file.
    pub(super) fn trimmed(&self, number: usize) -> Option<Range<usize>> {
        let last = number.min(self.starts.len());
        for number in (1..=last).rev().take(BLANK_LIMIT) {
            let line = self.line(number)?;
            let text = &self.text[line.clone()];
            let trimmed = text.trim();
            if !trimmed.is_empty() {
                let start = line.start + (text.len() - text.trim_start().len());
                return Some(start..start + trimmed.len());
            }
        }
        None
    }

    /// Byte offset of a zero-based column of a one-based line; a column past the line is its end.
    pub(super) fn offset(&self, number: usize, column: usize, unit: Encoding) -> Option<usize> {
        let line = self.line(number)?;
        Some(line.start + unit.offset(&self.text[line], column))
    }

    /// Byte offset of a UTF-16 offset of the whole program.
    pub(super) fn offset_of_units(&self, units: usize) -> usize {
        let starts = self.units.get_or_init(|| {
            let mut units = 0;
            let lines = self.starts.iter().zip(self.starts.iter().skip(1));
            let ends = lines.map(|(&start, &end)| {
                units += Encoding::Utf16.count(&self.text[start..end]);
                units
            });
            std::iter::once(0).chain(ends).collect()
        });
        let line = starts.partition_point(|&start| start <= units).saturating_sub(1);
        let start = self.starts[line];
        let end = floor(self.text, start + LINE_LIMIT);
        start + Encoding::Utf16.offset(&self.text[start..end], units - starts[line])
    }

    /// One-based number of the line that holds an offset.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }

    /// The word at an offset; the last one before it where there is nothing but white space up to the line's end, since a
    /// missing semicolon is reported after the line. The trimmed line where it has no word there.
    pub(super) fn token(&self, offset: usize) -> Option<Range<usize>> {
        let number = self.line_of(offset);
        let line = self.line(number)?;
        let offset = offset.clamp(line.start, line.end);
        let text = &self.text[line.clone()];
        let at = offset - line.start;
        let rest = &text[at..];
        let skipped = rest.len() - rest.trim_start().len();
        if skipped < rest.len() {
            let start = at + skipped;
            return Some(line.start + start..line.start + start + token::length(&text[start..]));
        }
        match token::last(text[..at].trim_end()) {
            Some(word) => Some(line.start + word.start..line.start + word.end),
            None => self.trimmed(number),
        }
    }

    /// The word at a zero-based column of a one-based line, the trimmed line where there is no such column.
    pub(super) fn token_at(&self, number: usize, column: usize, unit: Encoding) -> Option<Range<usize>> {
        match self.offset(number, column, unit) {
            Some(offset) => self.token(offset),
            None => self.trimmed(number),
        }
    }

    /// First place on a one-based line where `word` stands as a word of its own.
    pub(super) fn word_on(&self, number: usize, word: &str) -> Option<Range<usize>> {
        let line = self.line(number)?;
        let text = &self.text[line.clone()];
        let first = word.chars().next()?;
        let last = word.chars().next_back()?;
        let glued = |one: Option<char>, other: char| one.is_some_and(token::is_word) && token::is_word(other);
        text.match_indices(word).map(|(at, _)| at..at + word.len()).find_map(|found| {
            let before = text[..found.start].chars().next_back();
            let after = text[found.end..].chars().next();
            let alone = !glued(before, first) && !glued(after, last);
            alone.then(|| line.start + found.start..line.start + found.end)
        })
    }
}

/// `%20` and the like undone. Bytes, because what stands there need not be UTF-8.
fn percent_decoded(url: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| byte == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// The nearest character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A number at the start of `text`, and what follows it.
pub(super) fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// A number at the end of `text`, and what precedes it.
pub(super) fn number_at_end(text: &str) -> Option<(&str, usize)> {
    let start = text.rfind(|character: char| !character.is_ascii_digit());
    let start = start.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    Some((&text[..start], text[start..].parse().ok()?))
}

/// `PATH:LINE:COLUMN` taken apart from its end.
pub(super) fn located(text: &str) -> Option<(&str, usize, usize)> {
    let (rest, column) = number_at_end(text)?;
    let (path, line) = number_at_end(rest.strip_suffix(':')?)?;
    Some((path.strip_suffix(':')?, line, column))
}
