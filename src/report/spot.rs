//! Places that a tool tells only half: a line and a name, columns in its own cells, marks below a line. Pure.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::source::Source;
use super::token;

/// The most further lines of one message.
pub(super) const TEXT_LINES: usize = 20;

/// The most places beside messages that one stage's output is searched for: one that is said over and over is kept once, so
/// the number kept is no bound.
pub(super) const PLACES: usize = 400;

/// Quotes that tools put around names: opening, closing.
const QUOTES: &[(char, char)] = &[('\'', '\''), ('`', '\''), ('`', '`'), ('"', '"'), ('‘', '’'), ('«', '»')];

/// The place on a one-based line that a message names between quotes, else after one of its `words`; the trimmed line where
/// it names none that stands there.
pub(super) fn named(source: &Source<'_>, line: usize, text: &str, words: &[&str]) -> Option<Range<usize>> {
    let after = words.iter().filter_map(|word| {
        let rest = &text[text.find(word)? + word.len()..];
        Some(&rest[..rest.find([' ', ',', '(', ';']).unwrap_or(rest.len())])
    });
    let mut said = quoted(text).into_iter().chain(after.map(|name| name.trim_end_matches(['.', ':', '?'])));
    said.find_map(|name| on_line(source, line, name)).or_else(|| source.trimmed(line))
}

/// Where a name stands on a line: as it is, else its last part (`main::f`, `Module.f`, `f/1`, `&f`).
fn on_line(source: &Source<'_>, line: usize, name: &str) -> Option<Range<usize>> {
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let plain = name.split(['(', '/']).next().unwrap_or(name);
    let last = plain.rsplit(['.', ':', '&', '#', '\\']).next().unwrap_or(plain);
    // Which of two equal signs is meant nobody can say; the first use of a name is as good as any.
    let unclear = |name: &str| !name.contains(token::is_word) && source.line_text(line).matches(name).count() > 1;
    [name, plain, last]
        .into_iter()
        .filter(|name| !name.is_empty() && !unclear(name))
        .find_map(|name| source.word_on(line, name))
}

/// What a text has between quotes, a few of them, in order.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.lines().next().unwrap_or_default();
    while let Some(at) = rest.find(|character| QUOTES.iter().any(|(open, _)| *open == character)) {
        let open = rest[at..].chars().next().unwrap_or('"');
        let inside = &rest[at + open.len_utf8()..];
        let closes = |character| QUOTES.iter().any(|(other, close)| *other == open && *close == character);
        let Some(end) = inside.find(closes) else { break };
        // An apostrophe inside a word quotes nothing.
        let apostrophe = open == '\'' && rest[..at].ends_with(char::is_alphanumeric);
        if apostrophe {
            rest = inside;
            continue;
        }
        found.push(&inside[..end]);
        if found.len() == 4 {
            break;
        }
        rest = &inside[end..];
        rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
    }
    found
}

/// How a tool counts its columns where it counts neither bytes nor characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells {
    /// A tab goes to the next multiple of this, or (`stops` false) is this wide.
    pub(super) tab: usize,
    pub(super) stops: bool,
    /// Whether a wide character takes two.
    pub(super) wide: bool,
}

impl Cells {
    /// Byte offset of a zero-based cell of a one-based line.
    pub(super) fn offset(self, source: &Source<'_>, line: usize, cell: usize) -> Option<usize> {
        let range = source.line(line)?;
        let mut at = 0;
        for (offset, character) in source.text[range.clone()].char_indices() {
            if at >= cell && !token::is_joined(character) {
                return Some(range.start + offset);
            }
            at = match character {
                '\t' if self.stops => (at / self.tab + 1) * self.tab,
                '\t' => at + self.tab,
                _ if self.wide => at + character.width().unwrap_or(1),
                _ => at + 1,
            };
        }
        Some(range.end)
    }
}

/// How many marks (`^^^`, `~~~`, `^~~`) a line of nothing but marks has.
pub(super) fn marks(line: &str) -> Option<usize> {
    let marks = line.trim_start_matches([' ', '\t', '|', '│']).trim_end();
    let only = !marks.is_empty() && marks.bytes().all(|byte| matches!(byte, b'^' | b'~'));
    only.then_some(marks.len())
}

/// `LINE:COLUMN` at the start, and the rest; a line alone has no column.
pub(super) fn line_and_column(text: &str) -> Option<(usize, Option<usize>, &str)> {
    let (line, rest) = super::source::number(text)?;
    match rest.strip_prefix(':').and_then(super::source::number) {
        Some((column, rest)) => Some((line, Some(column), rest)),
        None => Some((line, None, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_found_and_apostrophes_are_not() {
        assert_eq!(quoted("attempt to call a nil value (global 'f')"), ["f"]);
        assert_eq!(quoted("can't find `a' and ‘b’ or \"c\""), ["a", "b", "c"]);
        assert_eq!(quoted("near '\n"), Vec::<&str>::new());
    }

    #[test]
    fn marks_are_counted_only_alone() {
        assert_eq!((marks("   ^~~ "), marks("  │   ~~"), marks("x ^"), marks("  ")), (Some(3), Some(2), None, None));
    }
}
