//! `runpen.runBlock` and `runpen.runAllBlocks`. Opening a page runs nothing: only somebody who asks does.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::ProgressToken;

use super::command::{CancelOnDrop, answer, outcome};
use super::settings;
use crate::config::Settings;
use crate::document::{Page, program};
use crate::engine::owner::random_id;
use crate::language::Language;
use crate::lsp::blocks::BlockRun;
use crate::lsp::documents::Source;
use crate::lsp::runs::{self, Start, Started};
use crate::lsp::session::Shared;
use crate::lsp::transport;
use crate::protocol::{BlockRunAnswer, Finished, RunAllBlocksAnswer, RunAllBlocksParams, RunBlockParams, SkippedBlock};
use crate::run::{RunRequest, Stdin};
use crate::snippet::Snippet;
use crate::text::Encoding;

/// Blocks of one page that run at a time: as many as a machine has for one reader.
const TURNS: usize = 2;

/// Bytes of all programs that one request may start: each of a session holds all before it.
const PROGRAMS_LIMIT: usize = 64 * 1024 * 1024;

/// The page of a request, and the settings for it.
struct Asked {
    source: Source,
    settings: Arc<Settings>,
    page: Arc<Page>,
}

/// What a run of one block has beside the block.
#[derive(Default)]
struct Manner {
    args: Option<Vec<String>>,
    stdin: Option<String>,
    wait: bool,
    token: Option<ProgressToken>,
    /// One of many: it waits for its turn, and has no progress and no standard input of its own.
    turns: Option<Arc<Semaphore>>,
}

async fn asked(session: &Shared, uri: &str) -> Result<Asked> {
    let source = session.source(uri).await?;
    let settings = settings::load(session, source.path.as_deref()).map_err(Error::invalid_params)?;
    let page = source.page().ok_or_else(|| {
        let name = source.name();
        Error::invalid_params(format!(
            "{name} has no code blocks that Runpen reads: it is no document of a known format"
        ))
    })?;
    Ok(Asked { source, settings, page })
}

/// A selection within a block: the program that it makes, and its language.
pub(super) fn selection(
    settings: &Settings,
    source: &Source,
    page: &Page,
    selected: Range<usize>,
) -> std::result::Result<(Snippet, Language), String> {
    let name = source.name();
    let line = source.text.position(selected.start, Encoding::Utf8).line + 1;
    let index = page.at(&source.text, selected.start);
    let block = index
        .map(|index| &page.blocks[index])
        .ok_or_else(|| format!("{name}: there is no code block on line {line}"))?;
    let Some(language) = block.language(&settings.languages) else {
        let reason = block.skipped(&settings.languages).unwrap_or_default();
        return Err(format!("{name}:{line}: the block cannot be run: {reason}"));
    };
    let file_name = block.attributes.file_name.as_deref();
    let snippet = Snippet::block_selection(&source.text, selected, block.code.clone(), file_name, language);
    Ok((snippet.map_err(|error| format!("{name}: {error}"))?, language.clone()))
}

/// Runs the block at a position.
pub(crate) async fn run_block(
    session: &Shared,
    params: RunBlockParams,
    token: Option<ProgressToken>,
) -> Result<Option<Value>> {
    let RunBlockParams { uri, position, args, stdin, wait } = params;
    let asked = asked(session, &uri).await?;
    let text = &asked.source.text;
    let offset = text.offset(position, session.capabilities().encoding).ok_or_else(|| {
        let lines = text.line_count();
        Error::invalid_params(format!("line {} lies outside the document, which has {lines} lines", position.line))
    })?;
    let index = asked.page.at(text, offset).ok_or_else(|| {
        Error::invalid_params(format!("{}: there is no code block on line {}", asked.source.name(), position.line + 1))
    })?;
    let manner = Manner { args, stdin, wait, token, turns: None };
    let mut room = PROGRAMS_LIMIT;
    let started = start(session, &asked, index, manner, &mut room).map_err(Error::invalid_params)?;
    outcome(session, started, wait).await
}

/// Runs every block of a page that does not say otherwise.
pub(crate) async fn run_all(
    session: &Shared,
    params: RunAllBlocksParams,
    token: Option<ProgressToken>,
) -> Result<Option<Value>> {
    let RunAllBlocksParams { uri, wait } = params;
    let asked = asked(session, &uri).await?;
    let encoding = session.capabilities().encoding;
    let range = |bytes: &Range<usize>| asked.source.text.range(bytes, encoding);
    let turns = Arc::new(Semaphore::new(TURNS));
    let (mut runs, mut skipped, mut ends, mut guards) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut room = PROGRAMS_LIMIT;
    for (index, block) in asked.page.blocks.iter().enumerate() {
        let manner = Manner { wait, turns: Some(Arc::clone(&turns)), ..Manner::default() };
        let started = match block.skipped(&asked.settings.languages) {
            Some(reason) => Err(reason),
            None => start(session, &asked, index, manner, &mut room),
        };
        let range = range(&block.range);
        match started {
            Ok(started) => {
                if wait {
                    guards.push(CancelOnDrop::new(session, started.run_id.clone()));
                }
                runs.push(BlockRunAnswer { run_id: started.run_id, range });
                ends.push(started.finished);
            }
            Err(reason) => skipped.push(SkippedBlock { range, reason }),
        }
    }
    let title = format!("Run all blocks of {}", asked.source.name());
    let ids: Vec<String> = runs.iter().map(|run| run.run_id.clone()).collect();
    if wait {
        let finished = follow_all(session, &ids, token, title, ends).await.ok_or_else(Error::internal_error)?;
        guards.iter_mut().for_each(CancelOnDrop::disarm);
        return answer(&RunAllBlocksAnswer { runs, skipped, finished: Some(finished) });
    }
    let session = Arc::clone(session);
    let answered = transport::answered();
    tokio::spawn(async move {
        answered.cancelled().await;
        follow_all(&session, &ids, token, title, ends).await;
    });
    answer(&RunAllBlocksAnswer { runs, skipped, finished: None })
}

/// Shows one progress over many runs until all are over; gives their ends, unless one never told its own.
async fn follow_all(
    session: &Shared,
    ids: &[String],
    token: Option<ProgressToken>,
    title: String,
    ends: Vec<oneshot::Receiver<Finished>>,
) -> Option<Vec<Finished>> {
    let progress = runs::progress(session, ids, token, title);
    let mut finished = Vec::with_capacity(ends.len());
    for (number, end) in ends.into_iter().enumerate() {
        finished.push(end.await.ok());
        runs::advance(progress.as_ref(), number + 1, ids.len());
    }
    runs::end_progress(session, progress, &format!("{} of {}", ids.len(), ids.len()));
    finished.into_iter().collect()
}

/// Starts the run of one block, whose program takes of the room there is; an error says why it cannot run.
fn start(
    session: &Shared,
    asked: &Asked,
    index: usize,
    manner: Manner,
    room: &mut usize,
) -> std::result::Result<Started, String> {
    let Asked { source, settings, page } = asked;
    let document = &source.text;
    let encoding = session.capabilities().encoding;
    let block = &page.blocks[index];
    let made = program(document, page, index, &settings.languages, &random_id::<16>());
    let program = made.map_err(|error| {
        let line = document.position(block.range.start, encoding).line + 1;
        format!("{}:{line}: {error}", source.name())
    })?;
    let size = program.snippet.program.as_str().len();
    *room = room.checked_sub(size).ok_or("the programs before it are as much as one request may start")?;
    let settings = program.tightened(settings);
    let single = manner.turns.is_none();
    let stdin = manner.stdin.or(program.stdin);
    let request = RunRequest {
        snippet: program.snippet,
        language: program.language,
        settings,
        args: manner.args.unwrap_or(program.args),
        files: Vec::new(),
        stdin: stdin
            .map_or(if single { Stdin::Interactive } else { Stdin::Empty }, |text| Stdin::Text(text.into_bytes())),
        uri: Some(source.uri.clone()),
        range: Some(document.range(&block.range, encoding)),
        encoding,
        cold: false,
        raw: false,
        turns: manner.turns,
    };
    let block =
        BlockRun { document: document.clone(), block: block.clone(), sieve: program.sieve, remarks: program.remarks };
    let start = Start {
        source: source.clone(),
        request,
        wait: manner.wait,
        token: manner.token,
        answered: transport::answered(),
        quiet: !single,
        block: Some(block),
    };
    Ok(runs::start(session, start))
}
