//! Text taken out of a document, and the way between its bytes and the document's. It knows no format.

use std::ops::Range;

/// From a byte of the code on, where the bytes are in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Anchor {
    code: usize,
    /// `None` where the text is none of the document's.
    document: Option<usize>,
    /// Each byte of the code is one of the document. Otherwise all of the code up to the next anchor stands for one place.
    exact: bool,
}

/// A text put together from parts of a document. Its lines end in a line feed, whatever the document has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    text: String,
    anchors: Vec<Anchor>,
    /// Where the document's part ends when the last part is one of the document.
    end: Option<usize>,
}

impl Code {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Bytes of it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds a part of the document as it stands.
    pub(super) fn push(&mut self, document: &str, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.anchor(Some(range.start), true);
        self.text.push_str(&document[range.clone()]);
        self.end = Some(range.end);
    }

    /// Adds a line of the document without its line end, then a line feed that stands for the line end.
    pub(super) fn push_line(&mut self, document: &str, line: Range<usize>) {
        let end = line.end;
        self.push(document, line);
        self.push_translated("\n", end..end);
    }

    /// The same code where what it was taken from was itself taken from a document.
    pub(super) fn through(&self, outer: &Self) -> Self {
        let mut code = Self::default();
        for (index, anchor) in self.anchors.iter().enumerate() {
            let end = self.anchors.get(index + 1).map_or(self.text.len(), |next| next.code);
            match anchor.document {
                Some(start) if anchor.exact => code.push_code(outer, start..start + end - anchor.code),
                Some(start) => {
                    let place = outer.to_document(start).unwrap_or_default();
                    code.push_translated(&self.text[anchor.code..end], place..place);
                }
                None => code.push_frame(&self.text[anchor.code..end]),
            }
        }
        code
    }

    /// Adds text that stands for bytes of the document which spell it in another way.
    pub(super) fn push_translated(&mut self, text: &str, range: Range<usize>) {
        if text.is_empty() {
            return;
        }
        self.anchor(Some(range.start), false);
        self.text.push_str(text);
        self.end = Some(range.end);
    }

    /// Adds text that is none of the document's.
    pub(super) fn push_frame(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.anchor(None, false);
        self.text.push_str(text);
        self.end = None;
    }

    /// Adds a part of another code of the same document.
    pub(super) fn push_code(&mut self, other: &Self, range: Range<usize>) {
        let mut at = range.start;
        let mut index = other.anchors.partition_point(|anchor| anchor.code <= at).saturating_sub(1);
        while at < range.end {
            let anchor = &other.anchors[index];
            let next = other.anchors.get(index + 1);
            let end = next.map_or(other.text.len(), |next| next.code).min(range.end);
            let document = anchor.document.map(|start| if anchor.exact { start + at - anchor.code } else { start });
            self.anchor(document, anchor.exact);
            self.text.push_str(&other.text[at..end]);
            self.end = match next {
                Some(_) => document.map(|start| if anchor.exact { start + end - at } else { start }),
                None => other.end,
            };
            at = end;
            index += 1;
        }
    }

    fn anchor(&mut self, document: Option<usize>, exact: bool) {
        let code = self.text.len();
        let continues = self.anchors.last().is_some_and(|last| {
            last.exact && exact && last.document.map(|start| start + code - last.code) == document && document.is_some()
        });
        if !continues {
            self.anchors.push(Anchor { code, document, exact });
        }
    }

    /// Makes the text end in a line end; what was missing is none of the document's.
    pub(super) fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            let end = self.end;
            self.push_translated("\n", end.unwrap_or(0)..end.unwrap_or(0));
            if end.is_none()
                && let Some(last) = self.anchors.last_mut()
            {
                last.document = None;
            }
        }
    }

    /// Where a byte of the code is in the document; `None` for text that is none of the document's. The end of the code is
    /// the end of its last part.
    #[must_use]
    pub fn to_document(&self, at: usize) -> Option<usize> {
        if at >= self.text.len() {
            return self.end;
        }
        let index = self.anchors.partition_point(|anchor| anchor.code <= at).checked_sub(1)?;
        let anchor = &self.anchors[index];
        anchor.document.map(|start| if anchor.exact { start + at - anchor.code } else { start })
    }

    /// Where a range of the code is in the document. It ends where its last character ends.
    #[must_use]
    pub fn range_to_document(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let start = self.to_document(range.start)?;
        if range.end <= range.start {
            return Some(start..start);
        }
        let index = self.anchors.partition_point(|anchor| anchor.code < range.end).checked_sub(1)?;
        let anchor = &self.anchors[index];
        let end = match anchor.document {
            Some(from) if anchor.exact => from + range.end - anchor.code,
            // What spells one character ends where the next one begins, unless a line end with its prefix lies between.
            Some(from) if self.text[anchor.code..].starts_with('\n') => from,
            _ => self.to_document(range.end).or(anchor.document)?,
        };
        Some(start..end.max(start))
    }

    /// The code between two bytes of the document, wherever they fall: marks of quotes and indentation are no code.
    #[must_use]
    pub fn part(&self, document: &Range<usize>) -> Range<usize> {
        let from = |at: usize| {
            let reached = |(index, _): &(usize, char)| self.to_document(*index).is_some_and(|byte| byte >= at);
            self.text.char_indices().find(reached).map_or(self.text.len(), |(index, _)| index)
        };
        let start = from(document.start);
        start..from(document.end).max(start)
    }

    /// The byte of the code that stands at a byte of the document, when there is one.
    #[must_use]
    pub fn to_code(&self, at: usize) -> Option<usize> {
        self.anchors.iter().enumerate().find_map(|(index, anchor)| {
            let start = anchor.document?;
            let end = self.anchors.get(index + 1).map_or(self.text.len(), |next| next.code);
            let inside = if anchor.exact { start <= at && at - start < end - anchor.code } else { at == start };
            inside.then(|| if anchor.exact { anchor.code + at - start } else { anchor.code })
        })
    }

    /// Byte ranges of its lines without their line ends.
    pub(super) fn lines(&self) -> Vec<Range<usize>> {
        lines(&self.text)
    }
}

/// Byte ranges of the lines of a text, without line ends. No line follows a last line end.
pub(super) fn lines(text: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        let line = line.strip_suffix('\r').unwrap_or(line);
        lines.push(start..start + line.len());
        start += whole.len();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translated_text_leads_to_the_bytes_that_spell_it() {
        let document = "<pre>a &lt; b\n";
        let mut code = Code::default();
        code.push(document, 5..7);
        code.push_translated("<", 7..11);
        code.push(document, 11..13);
        assert_eq!(code.as_str(), "a < b");
        assert_eq!(code.to_document(2), Some(7));
        assert_eq!(code.range_to_document(&(2..3)), Some(7..11));
        assert_eq!(code.to_document(4), Some(12));
        assert_eq!((code.to_code(12), code.to_code(8), code.to_code(7)), (Some(4), None, Some(2)));
    }

    #[test]
    fn a_part_of_a_code_leads_to_the_same_places() {
        let document = "> one\n> two\n";
        let mut code = Code::default();
        for line in [2..5, 8..11] {
            code.push(document, line.clone());
            code.push_translated("\n", line.end..line.end);
        }
        let mut part = Code::default();
        part.push_frame("frame\n");
        part.push_code(&code, 1..6);
        assert_eq!(part.as_str(), "frame\nne\ntw");
        assert_eq!(part.to_document(0), None);
        assert_eq!(part.to_document(6), Some(3));
        assert_eq!(part.to_document(9), Some(8));
        assert_eq!(part.range_to_document(&(6..8)), Some(3..5));
        assert_eq!(part.to_document(part.len()), Some(10));
    }
}
