//! What is selected: its trimmed range, its mask, and the indentation that its lines share. It knows no frame's grammar.

use std::ops::Range;

use super::BYTE_ORDER_MARK;
use super::mask::{STRING, mask};
use crate::language::Frame;

/// A selection without the white space around it.
pub(super) struct Selection<'a> {
    /// The whole document.
    pub(super) document: &'a str,
    /// Byte of the document where it starts: the start of a line where only white space is before it.
    pub(super) start: usize,
    /// Mask of the selection alone, so that code selected inside a comment or a string is code.
    pub(super) mask: Vec<u8>,
    /// White space that all its lines share.
    indentation: &'a str,
}

/// The range inside the text, in order, between characters.
pub(super) fn clamp(text: &str, range: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (one, other) = (boundary(range.start), boundary(range.end));
    one.min(other)..one.max(other)
}

impl<'a> Selection<'a> {
    /// `None` when there is nothing but white space. `range` lies between characters.
    pub(super) fn new(document: &'a str, range: Range<usize>, frame: Frame) -> Option<Self> {
        let blank = |character: char| character.is_whitespace() || character == BYTE_ORDER_MARK;
        let selected = &document[range.clone()];
        let first = range.start + (selected.len() - selected.trim_start_matches(blank).len());
        let end = range.start + selected.trim_end_matches(blank).len();
        if first >= end {
            return None;
        }
        let line_start = document[..first].rfind('\n').map_or(0, |at| at + 1);
        let before = &document[line_start..first];
        let start = if before.chars().all(|character| matches!(character, ' ' | '\t')) { line_start } else { first };
        let mask = mask(&document[start..end], frame);
        let mut selection = Self { document, start, mask, indentation: "" };
        selection.indentation = selection.common_indentation(line_start, frame == Frame::Python);
        Some(selection)
    }

    /// Its bytes.
    pub(super) fn len(&self) -> usize {
        self.mask.len()
    }

    /// Its text.
    pub(super) fn text(&self) -> &'a str {
        &self.document[self.start..self.start + self.len()]
    }

    /// Its range in the document.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len()
    }

    /// How many bytes of a line, which starts at a byte of the document, are common indentation.
    pub(super) fn dedent(&self, start: usize, line: &str) -> usize {
        if start < self.start || self.starts_in_string(start - self.start) {
            return 0;
        }
        shared(self.indentation, line).len()
    }

    fn starts_in_string(&self, start: usize) -> bool {
        // Only a string's own line end is masked; the text of a language without tokens has no such line end.
        start > 0 && self.mask[start - 1] == STRING
    }

    fn common_indentation(&self, line_start: usize, brackets_count: bool) -> &'a str {
        let mut common: Option<&'a str> = None;
        let mut depth = 0_usize;
        let mut start = 0;
        for line in self.text().split('\n') {
            let mask = &self.mask[start..start + line.len()];
            let continues =
                brackets_count && (depth > 0 || self.mask[..start].trim_ascii_end().ends_with(b"\\") && start > 0);
            if brackets_count {
                for byte in mask {
                    match byte {
                        b'(' | b'[' | b'{' => depth += 1,
                        b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
            }
            let counts = !continues && !self.starts_in_string(start) && !mask.trim_ascii().is_empty();
            if counts {
                let whole = if start == 0 { &self.document[line_start..] } else { line };
                let own = &whole[..whole.len() - whole.trim_start_matches([' ', '\t']).len()];
                common = Some(common.map_or(own, |common| shared(common, own)));
            }
            start += line.len() + 1;
        }
        common.unwrap_or("")
    }
}

/// The longest common start of two texts, as part of the first.
fn shared<'a>(one: &'a str, other: &str) -> &'a str {
    // Indentation is ASCII, so every byte is a boundary.
    &one[..one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()]
}
