//! What the run of a code block comes to beside its output: promises of the page that are not kept, with a fix; what the
//! block asked for in vain; a block it builds on that failed. Pure but for the sieve it holds.

use std::ops::Range;

use super::edits::Mark;
use super::present;
use super::results::Fix;
use crate::document::compare::differences;
use crate::document::update::{Edit, insertion, rewrite};
use crate::document::{Block, Sieve};
use crate::protocol::{Diagnostic, Finished, Outcome, Severity, Stream};
use crate::text::{Encoding, Text};

/// Code of the diagnostic of a promise that is not kept.
pub(crate) const STALE: &str = "output-differs";

/// A block that runs.
pub(crate) struct BlockRun {
    /// The document as it was.
    pub(crate) document: Text,
    /// The block as it was.
    pub(crate) block: Block,
    /// Takes its own output out of what the program prints.
    pub(crate) sieve: Sieve,
    /// What has to be said of it.
    pub(crate) remarks: Vec<String>,
}

impl BlockRun {
    /// The block in its document.
    pub(crate) fn range(&self) -> Range<usize> {
        self.block.range.clone()
    }

    /// What of some output is the block's own.
    pub(crate) fn take(&mut self, stream: Stream, text: &str) -> String {
        self.sieve.push(stream, text)
    }

    /// What was held back of a stream that ended.
    pub(crate) fn rest(&mut self, stream: Stream) -> String {
        self.sieve.finish(stream)
    }

    /// Adds to the end of the run what only its page tells; gives what can be done about it.
    pub(crate) fn judge(&self, finished: &mut Finished, encoding: Encoding) -> Vec<Fix> {
        for remark in &self.remarks {
            let line = self.document.position(self.block.range.start, encoding).line;
            let line = self.document.line(line).unwrap_or(self.range());
            let diagnostic = self.diagnostic(line, Severity::Information, "block", remark, encoding);
            finished.diagnostics.push(diagnostic);
        }
        if self.sieve.never_began() {
            if finished.error.is_none() && !matches!(finished.outcome, Outcome::Cancelled | Outcome::CompileFailed) {
                let last = self.sieve.before().lines().rev().find(|line| !line.trim().is_empty()).map(present::label);
                let last = last.map(|last| format!(": {last}")).unwrap_or_default();
                finished.error = Some(format!("a block that this one builds on did not end well{last}"));
            }
            return Vec::new();
        }
        if finished.outcome != Outcome::Exited {
            return Vec::new();
        }
        let printed = self.sieve.printed();
        let text = self.document.as_str();
        let mut edits = Vec::new();
        for difference in differences(&self.block, &printed) {
            let expectation = &self.block.expected[difference.expectation];
            let words = match difference.seen.as_deref().map(|seen| (seen, rewrite(text, expectation, seen))) {
                Some((seen, written)) => {
                    let why = written.as_ref().err().map(|why| format!("; it cannot be written here: {why}"));
                    edits.extend(written.ok());
                    let first = present::label(seen.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing"));
                    format!("the block no longer prints this, but: {first}{}", why.unwrap_or_default())
                }
                None => "nothing that the block prints is this".to_owned(),
            };
            let place = place(text, &expectation.range);
            finished.diagnostics.push(self.diagnostic(place, Severity::Warning, STALE, &words, encoding));
        }
        if !edits.is_empty() {
            let edits = edits.into_iter().map(|edit| self.marked(edit)).collect();
            return vec![Fix { title: "Update the expected output".to_owned(), mends: true, edits }];
        }
        if !self.block.expected.is_empty() || printed.stdout.trim().is_empty() {
            return Vec::new();
        }
        let insertion = insertion(text, &self.block, &printed.stdout).ok();
        let fix = |edit| Fix { title: "Insert output below".to_owned(), mends: false, edits: vec![self.marked(edit)] };
        insertion.map(fix).into_iter().collect()
    }

    /// An edit at a place that follows edits of others. A place ends before its line end, so that what follows is another.
    fn marked(&self, edit: Edit) -> (Mark, String) {
        let text = self.document.as_str();
        let Edit { mut range, text: mut new } = edit;
        let ends = |text: &str| if text.ends_with("\r\n") { 2 } else { usize::from(text.ends_with('\n')) };
        let cut = ends(&text[range.clone()]);
        if new.is_empty() && cut > 0 {
            // All of its lines go: with them the line end before instead of the one behind.
            let before = ends(&text[..range.start]);
            range = range.start - before..range.end - cut;
        } else if cut > 0 {
            range.end -= cut;
            new.truncate(new.len() - ends(&new));
        }
        (Mark::new(&self.document, range), new)
    }

    fn diagnostic(
        &self,
        place: Range<usize>,
        severity: Severity,
        code: &str,
        text: &str,
        encoding: Encoding,
    ) -> Diagnostic {
        Diagnostic {
            range: self.document.range(&place, encoding),
            severity,
            code: Some(code.to_owned()),
            source: "runpen".to_owned(),
            message: text.to_owned(),
            related: Vec::new(),
            tags: Vec::new(),
        }
    }
}

/// Where a promise that is not kept is shown: on its lines or, when it has none, at the end of the line before.
fn place(text: &str, range: &Range<usize>) -> Range<usize> {
    let shown = text[range.clone()].trim_end();
    if shown.is_empty() {
        let end = text[..range.start].trim_end_matches(['\n', '\r']).len();
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let start = start + (text[start..end].len() - text[start..end].trim_start().len());
        return start..end;
    }
    range.start..range.start + shown.len()
}
