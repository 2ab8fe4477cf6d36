//! `runpen check`: runs the blocks of documents and compares what they print with what the pages promise.
//!
//! Exit codes: 0 all is as the pages say, 1 something is not (or a document in a folder could not be read), 2 wrong usage, 130
//! stopped by Ctrl-C.

mod cache;
mod files;
mod render;
mod work;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use self::cache::Cache;
use self::files::Candidate;
use self::work::{Bench, Checked, Document, Status};
use super::{Failure, print, say, settings};
use crate::config::{EngineChoice, Layer, Settings, Size, Span};
use crate::document::Page;
use crate::engine::Engines;
use crate::engine::ledger::Ledger;
use crate::run::Manager;
use crate::text::Text;

/// How long removals may take at the end.
const GRACE: Duration = Duration::from_secs(20);

/// Blocks that run at a time, unless somebody says more.
const JOBS: usize = 8;

/// How often the progress is drawn at the most.
const DRAWS: u8 = 10;

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lines for people, differences as a diff.
    Human,
    /// One object.
    Json,
    /// `JUnit`'s XML.
    Junit,
    /// Annotations of GitHub's workflows.
    Github,
}

/// Arguments of `runpen check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Documents, and folders that are searched for some.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Write what the blocks print into the pages instead of what they promised.
    #[arg(long)]
    update: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// How many blocks run at a time.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Only blocks of this language.
    #[arg(long, value_name = "L")]
    lang: Option<String>,
    /// Run every block, changed or not.
    #[arg(long)]
    no_cache: bool,
    /// Engine: auto, docker or embedded.
    #[arg(long, value_name = "ENGINE", value_parser = super::engine_choice)]
    engine: Option<EngineChoice>,
    /// The most wall time of a block, like 500ms, 10s or 2m.
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// Memory of a block, like 128M.
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
}

/// Checks, and gives the exit code.
pub async fn run(arguments: CheckArguments, engines: Arc<dyn Engines>) -> Result<u8, Failure> {
    let layer =
        Layer { engine: arguments.engine, timeout: arguments.timeout, memory: arguments.memory, ..Layer::default() };
    let found = files::find(&arguments.paths).map_err(|error| Failure::usage(anyhow!(error)))?;
    let mut refused = found.refused;
    let mut documents: Vec<Document> = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut by_folder: HashMap<PathBuf, Arc<Settings>> = HashMap::new();
    for candidate in found.documents {
        let text = match files::read(&candidate) {
            Ok(text) => Text::new(text),
            Err(error) if candidate.named => return Err(Failure::usage(anyhow!(error))),
            Err(error) => {
                refused.push(error);
                continue;
            }
        };
        let page = Page::read(candidate.format, &text);
        let folder = folder_of(&candidate.path);
        if !by_folder.contains_key(&folder) {
            by_folder.insert(folder.clone(), Arc::new(settings::load(&layer, Some(&folder))?));
        }
        let settings = Arc::clone(&by_folder[&folder]);
        documents.push(Document { shown: shown(&candidate.path), text, page, settings });
        candidates.push(candidate);
    }
    for line in &refused {
        say(line);
    }
    let blocks = wanted(&documents, arguments.lang.as_deref())?;
    let jobs = arguments.jobs.map_or_else(default_jobs, NonZeroUsize::get);
    let runnable = |(document, block): &(usize, usize)| {
        let document: &Document = &documents[*document];
        document.page.blocks[*block].skipped(&document.settings.languages).is_none()
    };
    let many = blocks.iter().filter(|block| runnable(block)).count() > 2 * jobs;
    for document in &mut documents {
        // For a few blocks nothing would be left to take what waits.
        let warm = &mut Arc::make_mut(&mut document.settings).warm;
        warm.enabled &= many;
        warm.per_language = warm.per_language.max(u32::try_from(jobs).unwrap_or(u32::MAX));
    }
    let bench = Bench {
        digests: work::digests(&documents, &engines).await,
        manager: Manager::new(engines).noting(Ledger::open()),
        cache: Cache::open(!arguments.no_cache),
    };
    let stop = CancellationToken::new();
    let interrupted = tokio::spawn(super::run::interrupt(bench.manager.clone(), stop.clone()));
    let mut checked = check_all(&documents, &blocks, &bench, jobs, &stop).await;
    let stopped = stop.is_cancelled();
    if arguments.update && !stopped {
        update(&documents, &candidates, &mut checked);
    }
    bench.manager.shutdown(GRACE).await;
    bench.cache.sweep();
    interrupted.abort();
    if stopped {
        say("stopped; nothing was written");
        return Ok(130);
    }
    print(&render::render(arguments.format, &documents, &checked)?)?;
    let failed = checked.iter().any(|checked| checked.status == Status::Failed) || !refused.is_empty();
    Ok(u8::from(failed))
}

/// A path for people: a name of a file may have in it what moves a cursor.
fn shown(path: &Path) -> String {
    path.display()
        .to_string()
        .chars()
        .map(|one| if one.is_control() { char::REPLACEMENT_CHARACTER } else { one })
        .collect()
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, JOBS)
}

/// The blocks to check: document and number in it.
fn wanted(documents: &[Document], lang: Option<&str>) -> Result<Vec<(usize, usize)>, Failure> {
    let mut blocks = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let languages = &document.settings.languages;
        let only = lang.map(|lang| {
            languages.named(lang).map(|language| language.name.as_str()).ok_or_else(|| {
                let known = languages.names();
                Failure::usage(anyhow!("unknown language {lang:?}: it is one of {known}"))
            })
        });
        let only = only.transpose()?;
        let fits = |index: &usize| {
            let language = document.page.blocks[*index].language(languages);
            only.is_none_or(|only| language.is_some_and(|language| language.name == only))
        };
        blocks.extend((0..document.page.blocks.len()).filter(fits).map(|index| (number, index)));
    }
    Ok(blocks)
}

/// Checks all blocks, some at a time; gives them in the order of the documents.
async fn check_all(
    documents: &[Document],
    blocks: &[(usize, usize)],
    bench: &Bench,
    jobs: usize,
    stop: &CancellationToken,
) -> Vec<Checked> {
    let bar = ProgressBar::with_draw_target(Some(blocks.len() as u64), ProgressDrawTarget::stderr_with_hz(DRAWS));
    if let Ok(style) = ProgressStyle::with_template("{percent:>3} % {bar:30} {pos} of {len}, {msg}") {
        bar.set_style(style);
    }
    bar.set_message("0 failed");
    bar.tick();
    let mut failed = 0;
    let mut checked = Vec::with_capacity(blocks.len());
    let work = blocks.iter().map(|&at| work::check(documents, at, bench));
    let mut work = futures_util::stream::iter(work).buffered(jobs);
    while let Some(one) = work.next().await {
        failed += usize::from(one.status == Status::Failed);
        bar.set_message(format!("{failed} failed"));
        bar.inc(1);
        checked.push(one);
        if stop.is_cancelled() {
            break;
        }
    }
    bar.finish_and_clear();
    checked
}

/// Writes new promises. Blocks whose every problem is one of promises, and could be written, are then as their page says.
fn update(documents: &[Document], candidates: &[Candidate], checked: &mut [Checked]) {
    for (number, document) in documents.iter().enumerate() {
        let own = |checked: &&mut Checked| checked.document == number && !checked.edits.is_empty();
        let mut edits: Vec<_> = checked.iter_mut().filter(own).flat_map(|checked| checked.edits.clone()).collect();
        if edits.is_empty() {
            continue;
        }
        edits.sort_by_key(|edit| std::cmp::Reverse((edit.range.start, edit.range.end)));
        let mut text = document.text.as_str().to_owned();
        for edit in &edits {
            text.replace_range(edit.range.clone(), &edit.text);
        }
        let written = files::replace(&candidates[number], document.text.as_str(), &text);
        if let Err(error) = &written {
            say(error);
        }
        for checked in checked.iter_mut().filter(own) {
            if written.is_ok() && checked.mendable {
                checked.status = Status::Updated;
            }
        }
    }
}
