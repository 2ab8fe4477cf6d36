//! `workspace/executeCommand`: arguments are checked here, each mistake answered with one clear line.
//!
//! `$/cancelRequest` of a request with `wait: true` drops its handler, and with it the guard that cancels the run: who
//! stops waiting for a result no longer wants it. A run that was started without `wait` belongs to nobody's request.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{ExecuteCommandParams, ProgressToken};

use super::{block, output, settings, status};
use crate::config::Settings;
use crate::folder::Wish;
use crate::language::Language;
use crate::lsp::documents::{Key, Source, byte_range};
use crate::lsp::pulls;
use crate::lsp::runs::{self, Start, Started};
use crate::lsp::session::Shared;
use crate::lsp::transport;
use crate::protocol::{
    CancelParams, ClearParams, Position, PullImagesParams, Range, RunAnswer, RunFileParams, RunSelectionParams,
    SendInputParams, command,
};
use crate::run::{Manager, RunRequest, Stdin};
use crate::snippet::Snippet;
use crate::text::{Encoding, Text};

pub(crate) async fn execute(session: &Shared, params: ExecuteCommandParams) -> Result<Option<Value>> {
    let token = params.work_done_progress_params.work_done_token;
    let name = params.command.as_str();
    let arguments = params.arguments;
    match name {
        command::RUN_FILE => {
            let RunFileParams { uri, args, stdin, folder, files, wait } = argument(name, arguments)?;
            if folder && files.is_some() {
                let both = format!("{name} takes `folder` or `files`, not both");
                return Err(Error::invalid_params(both));
            }
            let beside = (folder || files.is_some()).then(|| Wish { only: files, open: open_texts(session) });
            run(session, Run { uri, range: None, args, stdin, beside, wait, token }).await
        }
        command::RUN_SELECTION => {
            let RunSelectionParams { uri, range, args, stdin, wait } = argument(name, arguments)?;
            run(session, Run { uri, range: Some(range), args, stdin, beside: None, wait, token }).await
        }
        command::RUN_BLOCK => block::run_block(session, argument(name, arguments)?, token).await,
        command::RUN_ALL_BLOCKS => block::run_all(session, argument(name, arguments)?, token).await,
        command::SEND_INPUT => {
            let SendInputParams { run_id, text, eof } = argument(name, arguments)?;
            let sent = session.backend.manager.send_input(&run_id, text.as_bytes(), eof);
            sent.map_err(|error| Error::invalid_params(error.to_string()))?;
            Ok(None)
        }
        command::CANCEL => {
            let CancelParams { run_id } = optional_argument(name, arguments)?;
            // A run that has ended meanwhile is what the caller wanted.
            let _ = session.backend.manager.cancel(run_id.as_deref());
            Ok(None)
        }
        command::CLEAR => {
            let ClearParams { uri } = optional_argument(name, arguments)?;
            clear(session, uri.as_deref());
            Ok(None)
        }
        command::SHOW_OUTPUT => output::show(session, argument(name, arguments)?).await,
        command::PULL_IMAGES => {
            let params: PullImagesParams = optional_argument(name, arguments)?;
            answer(&pulls::requested(session, params, token).await.map_err(Error::invalid_params)?)
        }
        command::STATUS => answer(&status::status(session).await),
        unknown => {
            let known = command::ALL.join(", ");
            Err(Error::invalid_params(format!("there is no command `{unknown}`; there are {known}")))
        }
    }
}

/// The one argument of a command.
fn argument<T: DeserializeOwned>(name: &str, arguments: Vec<Value>) -> Result<T> {
    let count = arguments.len();
    let wrong = |reason: String| Error::invalid_params(format!("wrong arguments of {name}: {reason}"));
    let mut arguments = arguments.into_iter();
    match (arguments.next(), count) {
        // A struct would also be read from an array.
        (Some(argument @ Value::Object(_)), 1) => {
            serde_json::from_value(argument).map_err(|error| wrong(error.to_string()))
        }
        (Some(_), 1) => Err(wrong("the argument must be an object".to_owned())),
        (_, count) => Err(wrong(format!("one object is expected, {count} arguments came"))),
    }
}

/// The same for a command all of whose fields may be left out.
fn optional_argument<T: DeserializeOwned + Default>(name: &str, arguments: Vec<Value>) -> Result<T> {
    match arguments.as_slice() {
        [] | [Value::Null] => Ok(T::default()),
        _ => argument(name, arguments),
    }
}

pub(crate) fn answer(value: &impl Serialize) -> Result<Option<Value>> {
    serde_json::to_value(value).map(Some).map_err(|_| Error::internal_error())
}

struct Run {
    uri: String,
    range: Option<Range>,
    args: Option<Vec<String>>,
    stdin: Option<String>,
    /// Files that come along.
    beside: Option<Wish>,
    wait: bool,
    token: Option<ProgressToken>,
}

async fn run(session: &Shared, run: Run) -> Result<Option<Value>> {
    // For an open document nothing from here to the start awaits: what runs is the text that the request was about.
    let source = session.source(&run.uri).await?;
    let settings = settings::load(session, source.path.as_deref()).map_err(Error::invalid_params)?;
    let encoding = session.capabilities().encoding;
    let (snippet, language) = snippet_of(&settings, &source, run.range, encoding).map_err(Error::invalid_params)?;
    let files = match (run.beside, &source.path) {
        (None, _) => Vec::new(),
        (Some(_), None) => {
            return Err(Error::invalid_params(format!("{} has no folder: it is not on disk", source.name())));
        }
        (Some(wish), Some(path)) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || crate::folder::beside(&path, &wish)).await;
            read.map_err(|_| Error::internal_error())?.map_err(|error| Error::invalid_params(error.to_string()))?
        }
    };
    let request = RunRequest {
        snippet,
        language,
        settings,
        args: run.args.unwrap_or_default(),
        stdin: run.stdin.map_or(Stdin::Interactive, |text| Stdin::Text(text.into_bytes())),
        uri: Some(source.uri.clone()),
        range: run.range,
        encoding,
        cold: !files.is_empty(),
        files,
        raw: false,
        turns: None,
    };
    let answered = transport::answered();
    let start = Start { source, request, wait: run.wait, token: run.token, answered, quiet: false, block: None };
    outcome(session, runs::start(session, start), run.wait).await
}

/// The texts that the editor shows, and where they are kept.
fn open_texts(session: &Shared) -> Vec<(PathBuf, Text)> {
    session.board().documents.sources().into_iter().filter_map(|source| Some((source.path?, source.text))).collect()
}

/// What a command answers that started one run.
pub(crate) async fn outcome(session: &Shared, started: Started, wait: bool) -> Result<Option<Value>> {
    if !wait {
        return answer(&RunAnswer { run_id: started.run_id });
    }
    let mut guard = CancelOnDrop::new(session, started.run_id);
    let finished = started.finished.await.map_err(|_| Error::internal_error())?;
    guard.disarm();
    answer(&finished)
}

/// What runs of a document: all of it, a selection, or a selection within a block of a page.
fn snippet_of(
    settings: &Settings,
    source: &Source,
    range: Option<Range>,
    encoding: Encoding,
) -> std::result::Result<(Snippet, Language), String> {
    let bytes = range.map(|range| selected(&source.text, range, encoding)).transpose()?;
    let name = source.name();
    let Some(language) = language_of(settings, source) else {
        return match (bytes, source.page()) {
            (Some(bytes), Some(page)) => block::selection(settings, source, &page, bytes),
            _ => Err(unknown_language(settings, source)),
        };
    };
    let snippet = match bytes {
        None => Snippet::file(&source.text, Some(&name), language),
        Some(bytes) => Snippet::selection(&source.text, bytes, Some(&name), language),
    };
    Ok((snippet.map_err(|error| format!("{name}: {error}"))?, language.clone()))
}

/// Cancels a run whose result nobody waits for any more.
pub(crate) struct CancelOnDrop {
    manager: Manager,
    run_id: Option<String>,
}

impl CancelOnDrop {
    pub(crate) fn new(session: &Shared, run_id: String) -> Self {
        Self { manager: session.backend.manager.clone(), run_id: Some(run_id) }
    }

    /// The run is over.
    pub(crate) fn disarm(&mut self) {
        self.run_id = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(run_id) = &self.run_id {
            let _ = self.manager.cancel(Some(run_id));
        }
    }
}

/// The language of a document: what the editor calls it, else by extension, else by its `#!` line.
pub(crate) fn language_of<'a>(settings: &'a Settings, source: &Source) -> Option<&'a Language> {
    let languages = &settings.languages;
    let named = source.language_id.as_deref().and_then(|name| languages.named(name));
    let key = Key::of(&source.uri);
    named.or_else(|| languages.of(source.path.as_deref().unwrap_or(key.as_path()), source.text.as_str()))
}

fn unknown_language(settings: &Settings, source: &Source) -> String {
    let called = source.language_id.as_deref().filter(|name| !name.is_empty());
    let called = called.map(|name| format!(" (the editor calls it `{name}`)")).unwrap_or_default();
    let (name, known) = (source.name(), settings.languages.names());
    format!("the language of {name}{called} is not known; there are {known}")
}

/// Bytes of a selection, or the line that says what is wrong with it.
fn selected(text: &Text, range: Range, encoding: Encoding) -> std::result::Result<std::ops::Range<usize>, String> {
    if let Some(bytes) = byte_range(text, range, encoding) {
        return Ok(bytes);
    }
    let lines = text.line_count();
    let shown = |position: Position| format!("{}:{}", position.line, position.character);
    let (start, end) = (shown(range.start), shown(range.end));
    let outside = if range.start.line > lines { Some(&start) } else { (range.end.line > lines).then_some(&end) };
    Err(match outside {
        Some(position) => format!("position {position} lies outside the document, which has {lines} lines"),
        None => format!("the range ends at {end}, before it begins at {start}"),
    })
}

fn clear(session: &Shared, uri: Option<&str>) {
    let keys = uri.map_or_else(|| session.board().results.keys(), |uri| vec![Key::of(uri)]);
    for key in keys {
        session.board().results.clear(&key);
        session.publish(&key);
    }
    session.board().results.sweep();
    session.refresh();
}
