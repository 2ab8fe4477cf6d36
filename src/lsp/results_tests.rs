use super::*;
use crate::protocol::{Position, Severity};

const TEXT: &str = "import os\n\nfirst()\nsecond()\n";

fn source() -> Source {
    let (uri, text) = (String::new(), Text::new(TEXT));
    Source { uri, path: None, language_id: None, text, blocks: Arc::default() }
}

/// An end with so many bytes of output.
fn ended(diagnostics: Vec<Diagnostic>, output: usize) -> End {
    let summary = Summary { title: String::new(), line: String::new(), hover: String::new() };
    let output = Whole { title: String::new(), error: None, text: "x".repeat(output), truncated: false };
    End { summary, output: Some(output), diagnostics, fixes: Vec::new() }
}

struct Story {
    results: Results,
    text: String,
    key: Key,
}

impl Story {
    fn new(region: Range<usize>) -> Self {
        let key = Key::of("file:///a.py");
        let source = Source { uri: "file:///a.py".to_owned(), ..source() };
        let mut results = Results::default();
        let whole = region == (0..TEXT.len());
        results.begin(key.clone(), Entry::new("a".to_owned(), &source, region, whole));
        Self { results, text: TEXT.to_owned(), key }
    }

    fn edit(&mut self, range: Range<usize>, new: &str) {
        let edit = Edit::new(&self.text, range.clone(), new);
        self.text.replace_range(range, new);
        self.results.edited(&self.key, &[edit], &Text::new(self.text.as_str()));
    }

    /// Ends the run with a diagnostic at `second`.
    fn finish(&mut self) {
        let [start, end] = [0, 6].map(|character| Position { line: 3, character });
        let diagnostic = Diagnostic {
            range: protocol::Range { start, end },
            severity: Severity::Error,
            code: None,
            source: "python".to_owned(),
            message: "no".to_owned(),
            related: Vec::new(),
            tags: Vec::new(),
        };
        self.results.finish(&self.key, "a", ended(vec![diagnostic], 0), Encoding::Utf16);
    }

    fn diagnosed(&self) -> Vec<&str> {
        let shown = self.results.of(&self.key)[0].result.as_ref().unwrap();
        shown.diagnostics.iter().map(|placed| &self.text[placed.mark.range.clone()]).collect()
    }

    fn has_summary(&self) -> bool {
        self.results.of(&self.key)[0].result.as_ref().unwrap().summary.is_some()
    }

    fn anchor_line(&self) -> u32 {
        let entry = &self.results.of(&self.key)[0];
        entry.text.position(entry.anchor.range.start, Encoding::Utf16).line
    }
}

#[test]
fn edits_during_and_after_the_run_move_what_is_shown() {
    let mut story = Story::new(11..28);
    assert_eq!(story.anchor_line(), 3);
    story.edit(0..0, "# new\n");
    story.finish();
    assert_eq!((story.diagnosed(), story.anchor_line()), (vec!["second"], 4));
    story.edit(0..6, "");
    assert_eq!((story.diagnosed(), story.anchor_line()), (vec!["second"], 3));
    assert!(story.has_summary());
}

#[test]
fn an_edit_of_what_was_run_takes_the_result_away_but_not_the_other_lines_diagnostics() {
    let mut story = Story::new(11..28);
    story.finish();
    story.edit(11..12, "F");
    assert!(!story.has_summary());
    assert_eq!(story.diagnosed(), ["second"]);
    story.edit(20..21, "x");
    assert!(story.diagnosed().is_empty());
}

#[test]
fn a_result_that_comes_after_an_edit_of_its_line_is_still_shown() {
    let mut story = Story::new(11..28);
    story.edit(19..28, "last()\n");
    story.finish();
    assert!(story.has_summary() && story.diagnosed().is_empty());
    assert_eq!(story.anchor_line(), 3);
}

#[test]
fn the_next_run_takes_away_what_the_last_one_left() {
    let mut story = Story::new(0..TEXT.len());
    assert_eq!(story.anchor_line(), 0);
    story.finish();
    let next = Entry::new("b".to_owned(), &source(), 0..TEXT.len(), true);
    story.results.begin(story.key.clone(), next);
    assert_eq!(story.results.of(&story.key).len(), 1);
}

#[test]
fn the_run_of_a_block_leaves_the_results_of_other_blocks() {
    let mut story = Story::new(0..TEXT.len());
    story.finish();
    for (id, range) in [("b", 0..9), ("c", 11..18), ("d", 0..9)] {
        let entry = Entry::block(id.to_owned(), &source(), range);
        story.results.begin(story.key.clone(), entry);
        story.results.finish(&story.key, id, ended(Vec::new(), 0), Encoding::Utf16);
    }
    let left: Vec<&str> = story.results.of(&story.key).iter().map(|entry| entry.run_id.as_str()).collect();
    assert_eq!(left, ["c", "d"]);
}

#[test]
fn a_run_whose_document_was_closed_leaves_nothing() {
    let mut story = Story::new(0..TEXT.len());
    story.results.closed(&story.key);
    story.finish();
    assert!(story.results.of(&story.key).is_empty());
}

#[test]
fn whole_outputs_of_a_document_are_bounded_but_the_last_one_is_there() {
    let mut story = Story::new(0..TEXT.len());
    for (number, (range, output)) in
        [(0..9, 100), (11..18, 100), (19..27, 3 * OUTPUT_LIMIT / 2)].into_iter().enumerate()
    {
        let id = number.to_string();
        story.results.begin(story.key.clone(), Entry::block(id.clone(), &source(), range));
        story.results.finish(&story.key, &id, ended(Vec::new(), output), Encoding::Utf16);
        let entries = story.results.of(&story.key).iter().filter_map(|entry| entry.result.as_ref());
        let kept: Vec<bool> = entries.map(|shown| shown.output.is_some()).collect();
        assert_eq!(kept, [&[true][..], &[true, true], &[false, false, true]][number]);
    }
}
