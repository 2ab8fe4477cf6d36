//! Puts a program together, line by line, and remembers where each line comes from.

use std::ops::Range;

use super::selection::Selection;

/// A program in the making.
pub(super) struct Builder<'a> {
    document: &'a str,
    program: String,
    lines: Vec<Option<usize>>,
    /// Where the document's part ends when the last line so far is one of the document.
    end: Option<usize>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(document: &'a str) -> Self {
        Self { document, program: String::new(), lines: Vec::new(), end: None }
    }

    /// A line of the frame.
    pub(super) fn frame(&mut self, line: &str) {
        self.program.push_str(line);
        self.program.push('\n');
        self.lines.push(None);
        self.end = None;
    }

    /// A part of the document as it stands, on lines of its own.
    pub(super) fn document(&mut self, range: Range<usize>) {
        self.add(range, |_, _| 0);
    }

    /// A part of the selection, in bytes of the selection, on lines of its own and without the common indentation.
    pub(super) fn selection(&mut self, selection: &Selection<'_>, range: Range<usize>) {
        let range = selection.start + range.start..selection.start + range.end;
        self.add(range, |start, line| selection.dedent(start, line));
    }

    fn add(&mut self, range: Range<usize>, dedent: impl Fn(usize, &str) -> usize) {
        let document = self.document;
        let part = document[range.clone()].strip_suffix('\n').unwrap_or(&document[range.clone()]);
        let mut start = range.start;
        for whole in part.split('\n') {
            let line = whole.strip_suffix('\r').unwrap_or(whole);
            let at_line_start = start == 0 || document.as_bytes()[start - 1] == b'\n';
            // What follows something else on its line begins with the space between them.
            let skip = if at_line_start {
                dedent(start, line)
            } else {
                line.len() - line.trim_start_matches([' ', '\t']).len()
            };
            if at_line_start || skip < line.len() {
                self.program.push_str(&line[skip..]);
                self.program.push('\n');
                self.lines.push(Some(start + skip));
                // A carriage return alone stays what it is, and ends a line as LSP counts them.
                let alone = line.len().saturating_sub(1);
                let ends = line.bytes().enumerate().take(alone).skip(skip).filter(|(_, byte)| *byte == b'\r');
                self.lines.extend(ends.map(|(at, _)| Some(start + at + 1)));
                self.end = Some(start + line.len());
            }
            start += whole.len() + 1;
        }
    }

    /// The program and the origin of each of its lines. Tools report what is missing at the end of a file there, so the
    /// empty line after the last line feed belongs to the line before it.
    pub(super) fn finish(mut self) -> (String, Vec<Option<usize>>) {
        self.lines.push(self.end);
        (self.program, self.lines)
    }
}
