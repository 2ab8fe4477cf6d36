//! Positions of LSP ↔ byte offsets. It knows nothing of anything else.
//!
//! Lines end as LSP has it: at `\n`, at `\r\n`, and at a `\r` alone. Widely used line indexes know only the first two,
//! which puts every position after a lone carriage return on the wrong line, so this one is our own. Tools count lines each
//! in its own way; that is [`crate::report`]'s matter.
//!
//! A byte order mark is a character like any other: editors strip it before they send a document, and where one is left it
//! counts.

use std::sync::Arc;

use memchr::memchr2_iter;

use crate::protocol::{Position, Range};

/// What a position's `character` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units.
    #[default]
    Utf16,
    /// Code points.
    Utf32,
}

impl Encoding {
    /// How many units `text` has.
    #[must_use]
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 if text.is_ascii() => text.len(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Utf32 => text.chars().count(),
        }
    }

    /// How many units one character has.
    #[must_use]
    pub fn width(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
            Self::Utf32 => 1,
        }
    }

    /// Byte offset in `text` of its unit `units`: the start of a character that the unit lies inside of, the end of the
    /// text for a unit past it.
    #[must_use]
    pub fn offset(self, text: &str, units: usize) -> usize {
        let mut seen = 0;
        for (at, character) in text.char_indices() {
            seen += self.width(character);
            if seen > units {
                return at;
            }
        }
        text.len()
    }
}

/// A text with the index of its lines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Text {
    text: Arc<str>,
    /// Byte offset of each line's start. Never empty.
    starts: Arc<[usize]>,
}

impl Text {
    /// Indexes `text`.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let bytes = text.as_bytes();
        let ends = memchr2_iter(b'\n', b'\r', bytes)
            .filter(|&at| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'))
            .map(|at| at + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        Self { text, starts }
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Number of lines; a text that ends with a line end has an empty last one.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        u32::try_from(self.starts.len()).unwrap_or(u32::MAX)
    }

    /// Byte range of a zero-based line without its line end, `None` past the last line.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<std::ops::Range<usize>> {
        let line = line as usize;
        let start = *self.starts.get(line)?;
        let Some(&next) = self.starts.get(line + 1) else {
            return Some(start..self.text.len());
        };
        let ended = &self.text[start..next];
        let bare = ended.strip_suffix("\r\n").or_else(|| ended.strip_suffix(['\n', '\r'])).unwrap_or(ended);
        Some(start..start + bare.len())
    }

    /// Byte offset of a position. A character past the line's end means its end, as LSP has it; one inside a character
    /// means that character's start; a line past the last is `None`.
    #[must_use]
    pub fn offset(&self, position: Position, encoding: Encoding) -> Option<usize> {
        let line = self.line(position.line)?;
        Some(line.start + encoding.offset(&self.text[line], position.character as usize))
    }

    /// Position of a byte offset. One inside a character, inside a line end or past the text is moved back to the nearest
    /// place that a position can name.
    #[must_use]
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&start| start <= offset) - 1;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let range = self.line(line).unwrap_or(0..0);
        let character = encoding.count(&self.text[range.start..offset.min(range.end)]);
        Position { line, character: u32::try_from(character).unwrap_or(u32::MAX) }
    }

    /// Range of a range of bytes.
    #[must_use]
    pub fn range(&self, bytes: &std::ops::Range<usize>, encoding: Encoding) -> Range {
        Range { start: self.position(bytes.start, encoding), end: self.position(bytes.end, encoding) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENCODINGS: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn every_line_end_of_lsp_ends_a_line() {
        let text = Text::new("a\nb\r\nc\rd\n\r\r\ne");
        let lines: Vec<_> = (0..text.line_count()).filter_map(|line| text.line(line)).collect();
        let lines: Vec<_> = lines.into_iter().map(|range| &text.as_str()[range]).collect();
        assert_eq!(lines, ["a", "b", "c", "d", "", "", "e"]);
        assert_eq!(text.line(7), None);
    }

    #[test]
    fn a_text_has_at_least_one_line_and_an_empty_one_after_its_last_line_end() {
        for (text, lines) in [("", 1), ("a", 1), ("a\n", 2), ("a\r\n", 2), ("a\r", 2), ("\n\n", 3)] {
            let text = Text::new(text);
            assert_eq!(text.line_count(), lines, "{text:?}");
            let end = text.as_str().len();
            assert_eq!(text.line(lines - 1).map(|range| range.end), Some(end), "{text:?}");
            assert_eq!(text.offset(text.position(end, Encoding::Utf16), Encoding::Utf16), Some(end), "{text:?}");
        }
    }

    #[test]
    fn characters_are_counted_in_the_units_of_the_encoding() {
        let text = Text::new("\u{feff}é😀x\r\ny");
        for (encoding, columns) in ENCODINGS.into_iter().zip([[0, 3, 5, 9, 10], [0, 1, 2, 4, 5], [0, 1, 2, 3, 4]]) {
            for (offset, column) in [0, 3, 5, 9, 10].into_iter().zip(columns) {
                assert_eq!(text.position(offset, encoding), at(0, column), "{encoding:?}");
                assert_eq!(text.offset(at(0, column), encoding), Some(offset), "{encoding:?}");
            }
            assert_eq!(text.position(12, encoding), at(1, 0));
        }
    }

    #[test]
    fn what_no_position_names_is_moved_back() {
        let text = Text::new("é😀\r\nz");
        assert_eq!(text.position(1, Encoding::Utf16), at(0, 0), "inside é");
        assert_eq!(text.position(5, Encoding::Utf16), at(0, 1), "inside the emoji");
        assert_eq!(text.position(7, Encoding::Utf16), at(0, 3), "between carriage return and line feed");
        assert_eq!(text.position(99, Encoding::Utf16), at(1, 1), "past the text");
        assert_eq!(text.offset(at(0, 2), Encoding::Utf16), Some(2), "between two surrogates");
        assert_eq!(text.offset(at(0, 99), Encoding::Utf16), Some(6), "past the line");
        assert_eq!(text.offset(at(1, u32::MAX), Encoding::Utf32), Some(9), "past the last line's end");
        assert_eq!(text.offset(at(2, 0), Encoding::Utf16), None, "past the last line");
    }

    /// Positions by walking over the text, one character at a time.
    fn naive(text: &str, offset: usize, encoding: Encoding) -> Position {
        let mut position = at(0, 0);
        let mut characters = text[..offset].chars().peekable();
        while let Some(character) = characters.next() {
            let next = characters.peek().copied().or_else(|| text[offset..].chars().next());
            if character == '\n' || character == '\r' && next != Some('\n') {
                position = at(position.line + 1, 0);
            } else if character != '\r' {
                position.character += u32::try_from(encoding.width(character)).expect("at most 4");
            }
        }
        position
    }

    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\n"),
            Just("\r"),
            Just("\r\n"),
            Just("é"),
            Just("😀"),
            Just("\u{feff}"),
            Just("a"),
            Just("\t"),
            Just("漢"),
            Just("\u{2028}")
        ];
        prop_oneof![proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()), any::<String>()]
    }

    proptest! {
        #[test]
        fn offsets_and_positions_agree_with_a_naive_walk(text in texts()) {
            let indexed = Text::new(text.as_str());
            for encoding in ENCODINGS {
                for offset in (0..=text.len()).filter(|&offset| text.is_char_boundary(offset)) {
                    let position = indexed.position(offset, encoding);
                    prop_assert_eq!(position, naive(&text, offset, encoding));
                    let inside_line_end = offset > 0 && text.as_bytes()[offset - 1] == b'\r' && text[offset..].starts_with('\n');
                    prop_assert_eq!(indexed.offset(position, encoding), Some(offset - usize::from(inside_line_end)));
                }
            }
        }

        #[test]
        fn any_position_is_an_offset_on_a_boundary(text in texts(), line in 0_u32..30, character: u32) {
            let indexed = Text::new(text.as_str());
            for encoding in ENCODINGS {
                for character in [character, character % 40] {
                    let offset = indexed.offset(at(line, character), encoding);
                    prop_assert_eq!(offset.is_some(), line < indexed.line_count());
                    prop_assert!(offset.is_none_or(|offset| text.is_char_boundary(offset)));
                }
            }
        }

        #[test]
        fn lines_and_their_ends_make_up_the_text(text in texts()) {
            let indexed = Text::new(text.as_str());
            let mut expected = 0;
            for line in 0..indexed.line_count() {
                let range = indexed.line(line).expect("a line below the count");
                prop_assert!(range.start >= expected && !text[range.clone()].contains(['\n', '\r']));
                expected = range.end;
            }
            prop_assert_eq!(expected, text.len());
        }
    }
}
