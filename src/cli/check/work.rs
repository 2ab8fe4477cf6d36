//! Runs blocks, or takes their results from the cache, and judges them. It prints nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::cache::{self, Cache, Kept};
use crate::config::Settings;
use crate::document::compare::{DiffLine, Printed, diff};
use crate::document::update::{Edit, rewrite};
use crate::document::verdict::{Complaint, End, verdict};
use crate::document::{Against, Block, Page, Program, program};
use crate::engine::owner::random_id;
use crate::engine::{Engine, Engines};
use crate::plan::Plan;
use crate::protocol::{Diagnostic, Event, Outcome, Severity};
use crate::run::{Manager, RunRequest, Stdin};
use crate::text::{Encoding, Text};

/// A document and what it is checked with.
pub(super) struct Document {
    /// As it is shown.
    pub(super) shown: String,
    pub(super) text: Text,
    pub(super) page: Page,
    pub(super) settings: Arc<Settings>,
}

/// How a block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// As its page says.
    Passed,
    /// Not so.
    Failed,
    /// Not run, and why.
    Skipped(String),
    /// Not as its page said, which now says otherwise.
    Updated,
}

/// Something wrong, at a place of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// From 1.
    pub(super) line: u32,
    /// From 1, in characters.
    pub(super) column: u32,
    /// From 1.
    pub(super) end_line: u32,
    /// For a person.
    pub(super) message: String,
    /// Promised and printed lines; `line` counts from the first promised one.
    pub(super) diff: Vec<DiffLine>,
    /// Line of the document of the first promised line, from 1.
    pub(super) first: u32,
}

/// A block that was looked at.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    /// Number of its document.
    pub(super) document: usize,
    /// Its first line, from 1.
    pub(super) line: u32,
    pub(super) name: Option<String>,
    pub(super) language: Option<String>,
    pub(super) status: Status,
    pub(super) remarks: Vec<String>,
    pub(super) problems: Vec<Problem>,
    /// What would make its promises true.
    pub(super) edits: Vec<Edit>,
    /// Every problem has its edit.
    pub(super) mendable: bool,
    pub(super) cached: bool,
    pub(super) wall_ms: f64,
}

/// What all blocks share.
pub(super) struct Bench {
    pub(super) manager: Manager,
    pub(super) cache: Cache,
    /// The engine's name and the digest of each language's image, where both are known.
    pub(super) digests: HashMap<String, (String, String)>,
}

/// Digests of the images of the languages that the documents use. An engine that does not answer is left for the first run
/// to complain of.
pub(super) async fn digests(documents: &[Document], engines: &Arc<dyn Engines>) -> HashMap<String, (String, String)> {
    let mut digests = HashMap::new();
    let Some(first) = documents.first() else { return digests };
    let Ok(engine) = engines.engine(&first.settings.engine_wish()).await else { return digests };
    let engine: Arc<dyn Engine> = engine;
    let mut asked = HashSet::new();
    for document in documents {
        for block in &document.page.blocks {
            let Some(language) = block.language(&document.settings.languages) else { continue };
            if asked.insert(&language.image)
                && let Ok(Some(image)) = engine.image(&language.image).await
            {
                digests.insert(language.image.clone(), (engine.name().to_owned(), image.digest));
            }
        }
    }
    digests
}

/// How a run ended.
struct Ended {
    outcome: Outcome,
    exit_code: Option<i32>,
    error: Option<String>,
    diagnostics: Vec<Diagnostic>,
    printed: Printed,
    needed: Option<String>,
    cached: bool,
}

/// Checks one block.
pub(super) async fn check(documents: &[Document], at: (usize, usize), bench: &Bench) -> Checked {
    let (number, index) = at;
    let document = &documents[number];
    let (text, block) = (&document.text, &document.page.blocks[index]);
    let languages = &document.settings.languages;
    let begun = Instant::now();
    let language = block.language(languages);
    let mut checked = Checked {
        document: number,
        line: text.position(block.range.start, Encoding::Utf8).line + 1,
        name: block.attributes.name.clone(),
        language: language.map(|language| language.name.clone()),
        status: Status::Passed,
        remarks: language.map_or_else(|| block.remarks.clone(), |language| block.remarks_for(languages, language)),
        problems: Vec::new(),
        edits: Vec::new(),
        mendable: true,
        cached: false,
        wall_ms: 0.0,
    };
    if let Some(reason) = block.skipped(languages) {
        checked.status = Status::Skipped(reason);
        return checked;
    }
    let build = |nonce: &str| program(text, &document.page, index, languages, nonce);
    // The key must not depend on the nonce of this run, so the program is put together once with one that is always the same.
    let known = match build("") {
        Ok(program) => program,
        Err(error) => {
            if block.attributes.no_run {
                checked.status = Status::Skipped(error.to_string());
            } else {
                checked.status = Status::Failed;
                checked.mendable = false;
                checked.problems.push(problem_at(text, block, error.to_string()));
            }
            return checked;
        }
    };
    let settings = known.tightened(&document.settings);
    let key = bench.digests.get(&known.language.image).map(|(engine, digest)| {
        let plan = Plan::new(&known.snippet, &known.language, &settings, &known.args);
        cache::key(&plan, known.stdin.as_deref(), engine, digest)
    });
    let ended = match key.as_ref().and_then(|key| bench.cache.get(key)) {
        Some(Kept { outcome, exit_code, printed, .. }) => {
            let (error, diagnostics, needed) = (None, Vec::new(), None);
            Ended { outcome, exit_code, error, diagnostics, printed, needed, cached: true }
        }
        None => match build(&random_id::<16>()) {
            Ok(program) => run(bench, program, settings, document).await,
            Err(_) => unreachable!("only the nonce is another"),
        },
    };
    judge(&mut checked, text, block, &ended);
    if let (Some(key), false, None) = (key, ended.cached, &ended.needed) {
        let well = !checked.problems.iter().any(|problem| problem.diff.is_empty());
        if well && matches!(ended.outcome, Outcome::Exited | Outcome::CompileFailed) {
            bench.cache.put(&Kept::new(&key, ended.outcome, ended.exit_code, ended.printed));
        }
    }
    checked.cached = ended.cached;
    checked.wall_ms = begun.elapsed().as_secs_f64() * 1000.0;
    checked
}

async fn run(bench: &Bench, program: Program, settings: Arc<Settings>, document: &Document) -> Ended {
    let mut sieve = program.sieve;
    let request = RunRequest {
        files: Vec::new(),
        snippet: program.snippet,
        language: program.language,
        settings,
        args: program.args,
        stdin: program.stdin.map_or(Stdin::Empty, |text| Stdin::Text(text.into_bytes())),
        uri: Some(document.shown.clone()),
        range: None,
        encoding: Encoding::Utf32,
        cold: false,
        raw: false,
        turns: None,
    };
    let mut run = bench.manager.start(request);
    let mut ended = Ended {
        outcome: Outcome::EngineFailure,
        exit_code: None,
        error: Some("the run ended without saying how".to_owned()),
        diagnostics: Vec::new(),
        printed: Printed::default(),
        needed: None,
        cached: false,
    };
    while let Some(event) = run.events.recv().await {
        match event {
            Event::Output(output) => {
                let _ = sieve.push(output.stream, &output.text);
            }
            Event::Finished(finished) => {
                ended.outcome = finished.outcome;
                ended.exit_code = finished.exit_code;
                ended.error = finished.error;
                ended.diagnostics = finished.diagnostics;
            }
            Event::Started(_) | Event::Phase(_) => {}
        }
    }
    for stream in [crate::protocol::Stream::Stdout, crate::protocol::Stream::Stderr] {
        let _ = sieve.finish(stream);
    }
    ended.printed = sieve.printed();
    ended.needed = sieve.never_began().then(|| sieve.before().to_owned());
    ended
}

fn judge(checked: &mut Checked, text: &Text, block: &Block, ended: &Ended) {
    let end = End {
        outcome: ended.outcome,
        exit_code: ended.exit_code,
        error: ended.error.as_deref(),
        printed: &ended.printed,
        needed: ended.needed.as_deref(),
    };
    for complaint in verdict(block, &end) {
        checked.status = Status::Failed;
        match complaint {
            Complaint::Ended(words) => {
                checked.mendable = false;
                let errors = ended.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
                let located: Vec<Problem> = errors.map(|error| problem_of(error, &words)).collect();
                if located.is_empty() {
                    let last = ended.printed.stderr.lines().rev().find(|line| !line.trim().is_empty());
                    let last = last.map(|last| format!("; its last words: {}", last.trim())).unwrap_or_default();
                    checked.problems.push(problem_at(text, block, format!("{words}{last}")));
                } else {
                    checked.problems.extend(located);
                }
            }
            Complaint::Differs(difference) => {
                let expectation = &block.expected[difference.expectation];
                let first = text.position(expectation.range.start, Encoding::Utf32);
                let count = u32::try_from(expectation.text.lines().count().max(1)).unwrap_or(u32::MAX);
                let edit = difference.seen.as_ref().map(|seen| rewrite(text.as_str(), expectation, seen));
                let message = match (&edit, expectation.against) {
                    (Some(Err(why)), _) => format!("it prints something else, which cannot be written here: {why}"),
                    (None, Against::Line(_)) => "no line that it prints is this".to_owned(),
                    (None, Against::Segment(_)) => "the program ended before this input".to_owned(),
                    (Some(Ok(_)), _) | (None, Against::All) => "it prints something else".to_owned(),
                };
                let edit = edit.and_then(Result::ok);
                checked.mendable &= edit.is_some();
                checked.edits.extend(edit);
                let seen = difference.seen.as_deref().unwrap_or_default();
                checked.problems.push(Problem {
                    line: first.line + 1,
                    column: first.character + 1,
                    end_line: first.line + count,
                    message,
                    diff: diff(&expectation.text, seen),
                    first: first.line + 1,
                });
            }
        }
    }
}

fn problem_of(diagnostic: &Diagnostic, words: &str) -> Problem {
    let (start, end) = (diagnostic.range.start, diagnostic.range.end);
    let message = if diagnostic.message.is_empty() { words.to_owned() } else { diagnostic.message.clone() };
    Problem {
        line: start.line + 1,
        column: start.character + 1,
        end_line: end.line + 1,
        message,
        diff: Vec::new(),
        first: 0,
    }
}

fn problem_at(text: &Text, block: &Block, message: String) -> Problem {
    let place = text.position(block.range.start, Encoding::Utf32);
    let (line, column) = (place.line + 1, place.character + 1);
    Problem { line, column, end_line: line, message, diff: Vec::new(), first: 0 }
}
