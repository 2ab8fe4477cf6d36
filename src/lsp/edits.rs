//! Where a place of a document is after an edit. Pure: bytes in, bytes out; it knows no LSP and no run.
//!
//! A [`Mark`] stands for whole lines: an edit of any of them loses it, an edit elsewhere moves it. So nothing is ever
//! shown at a line that is not the one it was meant for.

use std::ops::Range;

use crate::text::Text;

/// One replacement of bytes, made as small as it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    /// First byte replaced.
    pub(crate) start: usize,
    /// Byte after the last one replaced, in the old text.
    end: usize,
    /// Bytes put in their place.
    length: usize,
    /// What follows the edit still begins a line.
    line_begins: bool,
    /// What precedes the edit still ends a line.
    line_ends: bool,
}

impl Edit {
    /// Replacement of `range` of `old` by `new`. Both ends of `range` lie on boundaries of characters.
    pub(crate) fn new(old: &str, range: Range<usize>, new: &str) -> Self {
        let gone = &old[range.clone()];
        // A client that sends a whole document for one letter moves no more than that letter does.
        let prefix: usize = gone
            .chars()
            .zip(new.chars())
            .take_while(|(left, right)| left == right)
            .map(|(left, _)| left.len_utf8())
            .sum();
        let (rest, new) = (&gone[prefix..], &new[prefix..]);
        let same = rest.chars().rev().zip(new.chars().rev()).take_while(|(left, right)| left == right);
        let suffix: usize = same.map(|(left, _)| left.len_utf8()).sum();
        let (start, end) = (range.start + prefix, range.end - suffix);
        let new = &new[..new.len() - suffix];
        let (before, after) = (&old[..start], &old[end..]);
        let line_begins =
            if new.is_empty() { before.is_empty() || before.ends_with('\n') } else { new.ends_with('\n') };
        let follows = if new.is_empty() { after } else { new };
        let line_ends = follows.is_empty() || follows.starts_with(['\n', '\r']);
        Self { start, end, length: new.len(), line_begins, line_ends }
    }

    /// The least edit that makes `new` of `old`.
    pub(crate) fn between(old: &str, new: &str) -> Self {
        Self::new(old, 0..old.len(), new)
    }

    fn nothing(&self) -> bool {
        self.start == self.end && self.length == 0
    }

    fn moved(&self, range: &Range<usize>) -> Range<usize> {
        let shift = |offset: usize| offset - (self.end - self.start) + self.length;
        shift(range.start)..shift(range.end)
    }
}

/// A place of a document, and the lines it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The place.
    pub(crate) range: Range<usize>,
    /// Its lines, without the last one's line end.
    lines: Range<usize>,
}

impl Mark {
    /// A mark at `range` of `text`.
    pub(crate) fn new(text: &Text, range: Range<usize>) -> Self {
        let whole = text.as_str();
        let clamp = |offset: usize| floor(whole, offset.min(whole.len()));
        let mut range = clamp(range.start)..clamp(range.end.max(range.start));
        // A range that ends at the start of a line does not reach into it.
        if range.end > range.start && whole[..range.end].ends_with('\n') {
            range.end -= 1;
        }
        let start = whole[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = whole[range.end..].find('\n').map_or(whole.len(), |at| range.end + at);
        let end = if end > range.end && whole[..end].ends_with('\r') { end - 1 } else { end };
        Self { range, lines: start..end }
    }

    /// The mark after an edit; `None` when one of its lines was edited.
    pub(crate) fn after(&self, edit: &Edit) -> Option<Self> {
        if edit.nothing() || edit.start > self.lines.end || (edit.start == self.lines.end && edit.line_ends) {
            return Some(self.clone());
        }
        let below = edit.end < self.lines.start || (edit.end == self.lines.start && edit.line_begins);
        below.then(|| Self { range: edit.moved(&self.range), lines: edit.moved(&self.lines) })
    }

    /// The mark after some edits.
    pub(crate) fn after_all(self, edits: &[Edit]) -> Option<Self> {
        edits.iter().try_fold(self, |mark, edit| mark.after(edit))
    }
}

/// The nearest boundary of a character at or before `offset`.
pub(crate) fn floor(text: &str, mut offset: usize) -> usize {
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "one\ntwo\nthree\n";

    /// The line `two` after replacing `range` by `new`: its text in the new document, or `None` when it is lost.
    fn two_after(range: Range<usize>, new: &str) -> Option<String> {
        let mark = Mark::new(&Text::new(TEXT), 4..7);
        let mut text = TEXT.to_owned();
        let edit = Edit::new(TEXT, range.clone(), new);
        text.replace_range(range, new);
        mark.after(&edit).map(|mark| text[mark.range].to_owned())
    }

    #[test]
    fn an_edit_of_another_line_moves_the_mark() {
        for (range, new) in
            [(0..0, "zero\n"), (4..4, "half\n"), (0..4, ""), (3..3, "\nhalf"), (8..8, "x"), (7..7, "\nx"), (0..1, "")]
        {
            assert_eq!(two_after(range.clone(), new).as_deref(), Some("two"), "{range:?} {new:?}");
        }
    }

    #[test]
    fn an_edit_of_its_line_loses_the_mark() {
        for (range, new) in
            [(4..4, "x"), (7..7, "x"), (5..6, ""), (3..4, ""), (7..8, ""), (0..14, "1\n2\n3\n"), (5..5, "\n")]
        {
            assert_eq!(two_after(range.clone(), new), None, "{range:?} {new:?}");
        }
    }

    #[test]
    fn a_whole_document_sent_for_one_letter_is_one_letter() {
        assert_eq!(two_after(0..14, "0ne\ntwo\nthree\n").as_deref(), Some("two"));
        assert_eq!(two_after(0..14, "one\ntwo\nthree\nfour\n").as_deref(), Some("two"));
    }

    proptest! {
        #[test]
        fn a_mark_that_survives_still_stands_on_the_same_lines(
            old in "[ab\n\r]{0,24}", new in "[ab\n\r]{0,8}", from in 0_usize..24, length in 0_usize..24,
            at in 0_usize..24, wide in 0_usize..8,
        ) {
            let clamp = |offset: usize| offset.min(old.len());
            let range = clamp(from)..clamp(from + length);
            let mark = Mark::new(&Text::new(old.as_str()), clamp(at)..clamp(at + wide));
            let edit = Edit::new(&old, range.clone(), &new);
            let mut text = old.clone();
            text.replace_range(range, &new);
            if let Some(after) = mark.after(&edit) {
                prop_assert_eq!(&text[after.range.clone()], &old[mark.range.clone()]);
                prop_assert_eq!(&text[after.lines.clone()], &old[mark.lines.clone()]);
                prop_assert!(after.lines.start == 0 || text[..after.lines.start].ends_with('\n'));
                let rest = &text[after.lines.end..];
                prop_assert!(rest.is_empty() || rest.starts_with(['\n', '\r']));
            }
        }
    }
}
