//! What is shown of runs, a document at a time: runs in flight, and the results of those that ended, each kept at its
//! place while the document is edited. Bytes only; [`super::present`] makes LSP of it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::documents::{Key, Source};
use super::edits::{Edit, Mark};
use crate::protocol::{self, Diagnostic};
use crate::text::{Encoding, Text};

/// Edits during one run after which its places are given up.
const EDIT_LIMIT: usize = 10_000;

/// Results of one document that are kept; more only come together when that many runs overlap.
const RESULT_LIMIT: usize = 16;

/// The same where each is of a block of its own.
const BLOCK_LIMIT: usize = 2_000;

/// Bytes of whole outputs of one document that are kept; more only of the last run.
const OUTPUT_LIMIT: usize = 8 * 1024 * 1024;

/// One run of a document.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The run.
    pub(crate) run_id: String,
    /// Its document's URI.
    pub(crate) uri: String,
    /// The text in which the marks stand.
    pub(crate) text: Text,
    /// The line that shows the result. An edit loses it only once the result is there.
    pub(crate) anchor: Mark,
    /// What it came to; `None` while it runs.
    pub(crate) result: Option<Shown>,
    /// Whose lines, once edited, make the result untrue: the selection's or, of a file, the anchor's, because a result
    /// that went away with every letter typed anywhere would be read by nobody.
    region: Mark,
    snapshot: Text,
    edits: Vec<Edit>,
    /// A code block ran: the results of other blocks stay beside its own.
    block: bool,
    /// The document was closed, or edited beyond all tracking: what comes has no place any more.
    lost: bool,
}

/// The result of a run, as far as it is still true of the text.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Hint, hover and lens; gone once the selection, or the line that shows it, is edited.
    pub(crate) summary: Option<Summary>,
    /// Diagnostics that still have their lines.
    pub(crate) diagnostics: Vec<Placed>,
    /// What can be done to the document about it.
    pub(crate) fixes: Vec<Fix>,
    /// All that was printed, where the client can open it. Edits leave it: it is shown as what it is, of a run that was.
    pub(crate) output: Option<Arc<Whole>>,
}

/// What a run came to, in places of the text that ran.
#[derive(Debug)]
pub(crate) struct End {
    /// Hint, hover and lens.
    pub(crate) summary: Summary,
    /// All that was printed.
    pub(crate) output: Option<Whole>,
    /// Errors and warnings.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What can be done about them.
    pub(crate) fixes: Vec<Fix>,
}

/// All that a run printed, for an editor to open. Untrusted.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Language, outcome and time.
    pub(crate) title: String,
    /// Why it could not run, or what limit it broke.
    pub(crate) error: Option<String>,
    /// Both streams.
    pub(crate) text: String,
    /// There was more.
    pub(crate) truncated: bool,
}

/// A change of the document that a result suggests.
#[derive(Debug, Clone)]
pub(crate) struct Fix {
    /// For a person.
    pub(crate) title: String,
    /// It mends a diagnostic.
    pub(crate) mends: bool,
    /// Places, and what goes there.
    pub(crate) edits: Vec<(Mark, String)>,
}

impl Fix {
    /// Follows an edit; `false` when one of its places was edited.
    fn edited(&mut self, edit: &Edit) -> bool {
        self.edits.iter_mut().all(|(mark, _)| mark.after(edit).map(|after| *mark = after).is_some())
    }
}

/// What is shown of a result beside diagnostics.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    /// Outcome and time.
    pub(crate) title: String,
    /// Outcome, time and a line of output.
    pub(crate) line: String,
    /// Everything, as Markdown.
    pub(crate) hover: String,
}

/// A diagnostic at its place.
#[derive(Debug)]
pub(crate) struct Placed {
    /// Where.
    pub(crate) mark: Mark,
    /// Further places that still have their lines.
    pub(crate) related: Vec<(Mark, String)>,
    /// The rest of it; its own ranges are those of the run's snapshot.
    pub(crate) diagnostic: Diagnostic,
}

impl Entry {
    /// A run that begins: `region` is what runs, in bytes.
    pub(crate) fn new(run_id: String, source: &Source, region: Range<usize>, whole: bool) -> Self {
        let text = &source.text;
        let anchor = Mark::new(text, anchor(text.as_str(), &region, whole));
        Self {
            run_id,
            uri: source.uri.clone(),
            text: text.clone(),
            result: None,
            region: if whole { anchor.clone() } else { Mark::new(text, region) },
            anchor,
            snapshot: text.clone(),
            edits: Vec::new(),
            block: false,
            lost: false,
        }
    }

    /// A run of a code block that begins: `range` is the block, its marks and all.
    pub(crate) fn block(run_id: String, source: &Source, range: Range<usize>) -> Self {
        Self { block: true, ..Self::new(run_id, source, range, false) }
    }

    /// Where the block begins, when one ran.
    pub(crate) fn block_start(&self) -> Option<usize> {
        self.block.then_some(self.region.range.start)
    }

    /// All that was printed, where it is kept.
    pub(crate) fn output(&self) -> Option<&Arc<Whole>> {
        self.result.as_ref()?.output.as_ref()
    }

    /// Whether a place lies in what ran.
    pub(crate) fn covers(&self, range: &Range<usize>) -> bool {
        self.region.range.start <= range.end && range.start <= self.region.range.end
    }

    /// Follows an edit.
    fn edited(&mut self, edit: &Edit) {
        let anchor = self.anchor.after(edit);
        let region = self.region.after(edit);
        if let Some(shown) = &mut self.result {
            if anchor.is_none() || region.is_none() {
                shown.summary = None;
            }
            shown.fixes.retain_mut(|fix| fix.edited(edit));
            shown.diagnostics.retain_mut(|placed| {
                let Some(mark) = placed.mark.after(edit) else { return false };
                placed.mark = mark;
                placed.related.retain_mut(|(mark, _)| mark.after(edit).map(|after| *mark = after).is_some());
                true
            });
        } else if self.edits.len() < EDIT_LIMIT {
            self.edits.push(*edit);
        } else {
            self.lost = true;
        }
        // What is still to come needs some place: that of the edit.
        let fallback = || Mark::new(&self.text, edit.start..edit.start);
        self.anchor = anchor.unwrap_or_else(fallback);
        self.region = region.unwrap_or_else(fallback);
    }

    fn finish(&mut self, end: End, encoding: Encoding) {
        let End { summary, output, diagnostics, fixes } = end;
        let edits = std::mem::take(&mut self.edits);
        let snapshot = &self.snapshot;
        let place = |range: protocol::Range| {
            let bytes = snapshot.offset(range.start, encoding)?..snapshot.offset(range.end, encoding)?;
            Mark::new(snapshot, bytes).after_all(&edits)
        };
        let placed = |diagnostic: Diagnostic| {
            let related = diagnostic.related.iter();
            let related = related.filter_map(|related| Some((place(related.range)?, related.message.clone())));
            Some(Placed { mark: place(diagnostic.range)?, related: related.collect(), diagnostic })
        };
        let diagnostics = diagnostics.into_iter().filter_map(placed).collect();
        let fixes = fixes.into_iter().filter_map(|mut fix| edits.iter().all(|edit| fix.edited(edit)).then_some(fix));
        let output = output.map(Arc::new);
        self.result = Some(Shown { summary: Some(summary), diagnostics, fixes: fixes.collect(), output });
    }
}

/// The bytes at whose line a result shows: the first line with code of a file, the last one of a selection.
fn anchor(text: &str, region: &Range<usize>, whole: bool) -> Range<usize> {
    let ran = &text[region.clone()];
    let at =
        if whole { region.start + (ran.len() - ran.trim_start().len()) } else { region.start + ran.trim_end().len() };
    at..at
}

/// All documents' runs.
#[derive(Debug, Default)]
pub(crate) struct Results {
    entries: HashMap<Key, Vec<Entry>>,
}

impl Results {
    /// A run begins: what earlier runs of the document left is gone.
    pub(crate) fn begin(&mut self, key: Key, entry: Entry) {
        let entries = self.entries.entry(key).or_default();
        let beside = |other: &Entry| entry.block && other.block && !other.covers(&entry.region.range);
        entries.retain(|other| other.result.is_none() || beside(other));
        entries.push(entry);
    }

    /// A run ended. Without a place for it there is nothing to show.
    pub(crate) fn finish(&mut self, key: &Key, run_id: &str, end: End, encoding: Encoding) {
        let Some(entries) = self.entries.get_mut(key) else { return };
        entries.retain(|entry| !(entry.lost && entry.run_id == run_id));
        if let Some(entry) = entries.iter_mut().find(|entry| entry.run_id == run_id) {
            entry.finish(end, encoding);
        }
        let finished = entries.iter().filter(|entry| entry.result.is_some()).count();
        let limit = if entries.iter().any(|entry| entry.block) { BLOCK_LIMIT } else { RESULT_LIMIT };
        if finished > limit
            && let Some(oldest) = entries.iter().position(|entry| entry.result.is_some())
        {
            entries.remove(oldest);
        }
        // The last run's output is kept whatever its length, of those before it what fits beside it.
        let mut kept = 0;
        for entry in entries.iter_mut().rev() {
            let Some(shown) = &mut entry.result else { continue };
            kept += shown.output.as_ref().map_or(0, |output| output.text.len());
            if kept > OUTPUT_LIMIT && entry.run_id != run_id {
                shown.output = None;
            }
        }
    }

    /// The document's text changed.
    pub(crate) fn edited(&mut self, key: &Key, edits: &[Edit], text: &Text) {
        for entry in self.entries.get_mut(key).into_iter().flatten() {
            entry.text = text.clone();
            for edit in edits {
                entry.edited(edit);
            }
        }
    }

    /// A document was opened: what is on disk, where its runs had it from, may be another text.
    pub(crate) fn opened(&mut self, key: &Key, text: &Text) {
        for entry in self.entries.get_mut(key).into_iter().flatten() {
            let edit = Edit::between(entry.text.as_str(), text.as_str());
            entry.text = text.clone();
            entry.edited(&edit);
        }
    }

    /// A document was closed: its results are gone, and what still runs has no place any more.
    pub(crate) fn closed(&mut self, key: &Key) {
        self.clear(key);
        self.entries.get_mut(key).into_iter().flatten().for_each(|entry| entry.lost = true);
    }

    /// Drops the results of a document.
    pub(crate) fn clear(&mut self, key: &Key) {
        if let Some(entries) = self.entries.get_mut(key) {
            entries.retain(|entry| entry.result.is_none());
        }
    }

    /// Runs and results of a document, oldest first.
    pub(crate) fn of(&self, key: &Key) -> &[Entry] {
        self.entries.get(key).map_or(&[], Vec::as_slice)
    }

    /// Documents that have runs or results.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.entries.keys().cloned().collect()
    }

    /// Forgets documents of which nothing is left.
    pub(crate) fn sweep(&mut self) {
        self.entries.retain(|_, entries| !entries.is_empty());
    }
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
