//! Positions of LSP ↔ byte offsets. It knows nothing of anything else.

use std::sync::Arc;

use line_index::{LineCol, LineIndex, WideEncoding, WideLineCol};

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

/// A text with the index of its lines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Text {
    text: Arc<str>,
    index: Arc<LineIndex>,
}

impl Text {
    /// Indexes `text`.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let index = Arc::new(LineIndex::new(&text));
        Self { text, index }
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Number of lines; a text that ends with a line feed has an empty last one.
    #[must_use]
    pub fn line_count(&self) -> u32 {
        self.index.line_col(self.index.len()).line + 1
    }

    /// Byte range of a zero-based line without its line end, `None` past the last line.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<std::ops::Range<usize>> {
        let range = self.index.line(line)?;
        let (start, end) = (usize::from(range.start()), usize::from(range.end()));
        let trimmed = self.text[start..end].trim_end_matches('\n');
        let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
        Some(start..start + trimmed.len())
    }

    /// Byte offset of a position. A character past the line's end means its end, as LSP has it; a line past the last is `None`.
    #[must_use]
    pub fn offset(&self, position: Position, encoding: Encoding) -> Option<usize> {
        let line = self.line(position.line)?;
        let text = &self.text[line.clone()];
        let units = position.character as usize;
        let mut seen = 0;
        for (at, character) in text.char_indices() {
            if seen >= units {
                return Some(line.start + at);
            }
            seen += match encoding {
                Encoding::Utf8 => character.len_utf8(),
                Encoding::Utf16 => character.len_utf16(),
                Encoding::Utf32 => 1,
            };
        }
        Some(line.end)
    }

    /// Position of a byte offset; one inside a character or past the end is moved back to the nearest boundary.
    #[must_use]
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let LineCol { line, col } = self.index.line_col(u32::try_from(offset).unwrap_or(u32::MAX).into());
        let wide =
            |encoding| self.index.to_wide(encoding, LineCol { line, col }).unwrap_or(WideLineCol { line, col }).col;
        let character = match encoding {
            Encoding::Utf8 => col,
            Encoding::Utf16 => wide(WideEncoding::Utf16),
            Encoding::Utf32 => wide(WideEncoding::Utf32),
        };
        Position { line, character }
    }

    /// Range of a range of bytes.
    #[must_use]
    pub fn range(&self, bytes: &std::ops::Range<usize>, encoding: Encoding) -> Range {
        Range { start: self.position(bytes.start, encoding), end: self.position(bytes.end, encoding) }
    }
}
