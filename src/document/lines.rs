//! What the line readers share: lines of a document, their indentation, and code made of some of them.

use std::ops::Range;

use super::code::{self, Code};

/// A document by lines.
pub(super) struct Lines<'a> {
    pub(super) text: &'a str,
    ranges: Vec<Range<usize>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, ranges: code::lines(text) }
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// A line without its line end; past the last one, an empty line at the end.
    pub(super) fn range(&self, line: usize) -> Range<usize> {
        self.ranges.get(line).cloned().unwrap_or(self.text.len()..self.text.len())
    }

    /// Its text.
    pub(super) fn get(&self, line: usize) -> &'a str {
        &self.text[self.range(line)]
    }

    /// Nothing but white space is on it.
    pub(super) fn is_blank(&self, line: usize) -> bool {
        self.get(line).trim().is_empty()
    }

    /// Bytes of white space before its text. A byte order mark is none of it.
    pub(super) fn indent(&self, line: usize) -> usize {
        let text = self.get(line);
        text.len() - text.trim_start_matches([' ', '\t']).len()
    }

    /// Indentation that lines share, blank ones aside.
    pub(super) fn common_indent(&self, lines: Range<usize>) -> usize {
        lines.filter(|line| !self.is_blank(*line)).map(|line| self.indent(line)).min().unwrap_or(0)
    }

    /// Code of some lines, without so many bytes of white space at the start of each.
    pub(super) fn code(&self, lines: Range<usize>, indent: usize) -> Code {
        let mut code = Code::default();
        for line in lines {
            let range = self.range(line);
            let skip = indent.min(self.indent(line));
            code.push_line(self.text, range.start + skip..range.end);
        }
        code
    }

    /// Bytes of some whole lines, line ends and all.
    pub(super) fn whole(&self, lines: Range<usize>) -> Range<usize> {
        self.range(lines.start).start..self.range(lines.end).start
    }

    /// The last line of some with something on it, and one more.
    pub(super) fn trimmed_end(&self, lines: Range<usize>) -> usize {
        lines.clone().rev().find(|line| !self.is_blank(*line)).map_or(lines.start, |line| line + 1)
    }

    /// The white space before a line's text.
    pub(super) fn prefix(&self, line: usize) -> &'a str {
        &self.get(line)[..self.indent(line)]
    }
}
