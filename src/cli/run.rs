//! `runpen run`: one run, its output on our own streams or its events as JSON, its exit code as ours.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use clap::Args;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{FAILED, Failure, block, say, settings};
use crate::config::{Cpus, EngineChoice, Layer, Settings, Size, Span};
use crate::engine::Engines;
use crate::engine::ledger::Ledger;
use crate::folder::{Wish, named_beside};
use crate::language::Language;
use crate::plan::{Network, SOURCE_LIMIT, SourceFile};
use crate::protocol::{Event, Finished, Outcome, Stream};
use crate::run::{Manager, RunRequest, Stdin};
use crate::snippet::Snippet;
use crate::text::{Encoding, Text};

/// How long removals may take at the end.
const GRACE: Duration = Duration::from_secs(20);

/// Arguments of `runpen run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The file, or - for code on stdin.
    file: PathBuf,
    /// Arguments of the program.
    #[arg(last = true)]
    args: Vec<String>,
    /// Language; without it the file's extension or #! line tells.
    #[arg(long, value_name = "L")]
    lang: Option<String>,
    /// Engine: auto, docker or embedded.
    #[arg(long, value_name = "ENGINE", value_parser = super::engine_choice)]
    engine: Option<EngineChoice>,
    /// Wall time of the program, like 500ms, 10s or 2m.
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// Memory of the program, like 128M.
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// CPU share of the program in cores, like 0.5.
    #[arg(long, value_name = "CPUS")]
    cpus: Option<Cpus>,
    /// Standard input of the program comes from this file.
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Print one JSON object a line for everything that happens.
    #[arg(long)]
    json: bool,
    /// Run lines A to B of the file only, counted from 1.
    #[arg(long, value_name = "A-B", value_parser = lines)]
    lines: Option<RangeInclusive<u32>>,
    /// Run one code block of a document, by its name or its number, counted from 1.
    #[arg(long, value_name = "N|NAME", conflicts_with_all = ["lines", "lang"])]
    block: Option<String>,
    /// Send the other files of the file's folder too, but for those that .gitignore names.
    #[arg(long, conflicts_with_all = ["lines", "block"])]
    folder: bool,
    /// Send this file of the file's folder too, once for each.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lines", "block", "folder"])]
    files: Vec<PathBuf>,
    /// Never take a waiting container.
    #[arg(long)]
    cold: bool,
    /// Network: none or bridge.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    network: Option<Network>,
}

impl RunArguments {
    /// What the flags say of settings.
    fn layer(&self) -> Layer {
        let Self { engine, timeout, memory, cpus, network, .. } = *self;
        Layer { engine, timeout, memory, cpus, network, ..Layer::default() }
    }

    /// Where a project's file is looked for. Code from stdin belongs to no project.
    fn parent(&self) -> Option<&Path> {
        let parent = self.file.parent().filter(|_| !is_stdin(&self.file))?;
        Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
    }
}

fn network(value: &str) -> Result<Network, String> {
    match value {
        "none" => Ok(Network::None),
        "bridge" => Ok(Network::Bridge),
        _ => Err("it is one of none, bridge".to_owned()),
    }
}

fn lines(value: &str) -> Result<RangeInclusive<u32>, String> {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let first: u32 = first.trim().parse().map_err(|_| "write it like 3-7")?;
    let last: u32 = last.trim().parse().map_err(|_| "write it like 3-7")?;
    if first == 0 || last < first {
        Err("lines count from 1, and A is not after B".to_owned())
    } else {
        Ok(first..=last)
    }
}

/// Runs, and gives the exit code.
pub async fn run(arguments: RunArguments, engines: Arc<dyn Engines>) -> Result<u8, Failure> {
    let mut settings = settings::load(&arguments.layer(), arguments.parent())?;
    // Nothing would be left to take what waits.
    settings.warm.enabled = false;
    let (text, name) = source(&arguments.file)?;
    let mut own = None;
    let mut said = None;
    let mut args = arguments.args.clone();
    let (snippet, language) = if let Some(block) = &arguments.block {
        let program = block::pick(&arguments.file, &Text::new(text), block, &mut settings)?;
        own = Some(block::Own::new(program.sieve));
        said = program.stdin;
        if args.is_empty() {
            args = program.args;
        }
        (program.snippet, program.language)
    } else {
        let language = language(&arguments, &settings, &text)?.clone();
        (snippet(&arguments, &Text::new(text), name.as_deref(), &language)?, language)
    };
    let files = beside(&arguments)?;
    let stdin_file = arguments.stdin.as_deref().map(open_input).transpose()?;
    let request = RunRequest {
        snippet,
        language,
        settings: Arc::new(settings),
        args,
        cold: arguments.cold || !files.is_empty(),
        files,
        stdin: said.as_ref().map_or(Stdin::Empty, |text| Stdin::Text(text.clone().into_bytes())),
        uri: None,
        range: None,
        encoding: Encoding::Utf16,
        raw: !arguments.json && own.is_none(),
        turns: None,
    };
    let manager = Manager::new(engines).noting(Ledger::open());
    let mut run = match stdin_file {
        Some(file) => manager.start_piped(request, pump(file)),
        None if is_stdin(&arguments.file) || said.is_some() => manager.start(request),
        None => manager.start_piped(request, pump(std::io::stdin())),
    };
    let interrupted = tokio::spawn(interrupt(manager.clone(), CancellationToken::new()));
    let mut printer = Printer { json: arguments.json, broken: false };
    let mut finished = None;
    while let Some(event) = run.events.recv().await {
        let events = match &mut own {
            Some(own) => own.take(event),
            None => vec![event],
        };
        for event in events {
            printer.print(&event);
            if let Event::Finished(end) = event {
                finished = Some(end);
            }
        }
        if printer.broken {
            // Whoever read our output is gone, and so is the reason to go on.
            let _ = manager.cancel(None);
        }
    }
    manager.shutdown(GRACE).await;
    interrupted.abort();
    let finished = finished.ok_or_else(|| anyhow!("the run ended without saying how"))?;
    if printer.broken {
        return Ok(128 + 13);
    }
    if let (Some(error), false) = (&finished.error, arguments.json) {
        say(error);
    }
    Ok(exit_code(&finished))
}

/// The files that come along.
fn beside(arguments: &RunArguments) -> Result<Vec<SourceFile>, Failure> {
    let RunArguments { file, files, folder, .. } = arguments;
    if !folder && files.is_empty() {
        return Ok(Vec::new());
    }
    if is_stdin(file) {
        return Err(Failure::usage(anyhow!("code on stdin has no folder: name a file")));
    }
    let names = files.iter().map(|other| named_beside(file, other)).collect::<Result<_, _>>();
    let only = if *folder { None } else { Some(names.map_err(Failure::usage)?) };
    crate::folder::beside(file, &Wish { only, ..Wish::default() }).map_err(Failure::usage)
}

/// The exit code of the contract.
fn exit_code(finished: &Finished) -> u8 {
    let low = |code: i32| u8::try_from(code & 0xff).unwrap_or(FAILED);
    match finished.outcome {
        Outcome::Exited => finished.exit_code.map_or(FAILED, low),
        Outcome::CompileFailed => finished.exit_code.map_or(1, low),
        Outcome::Signaled => finished.signal.map_or(FAILED, |signal| low(128 + signal)),
        Outcome::TimedOut => 124,
        // SIGKILL ends both.
        Outcome::OutOfMemory | Outcome::OutputLimit => 137,
        Outcome::Cancelled => 130,
        Outcome::EngineFailure => FAILED,
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The text of the file or of stdin, and the file's name.
fn source(file: &Path) -> Result<(String, Option<String>), Failure> {
    let shown = file.display();
    let mut bytes = Vec::new();
    let read = if is_stdin(file) {
        std::io::stdin().lock().take(SOURCE_LIMIT + 1).read_to_end(&mut bytes)
    } else {
        let metadata =
            std::fs::metadata(file).with_context(|| format!("failed to read {shown}")).map_err(Failure::usage)?;
        if metadata.is_dir() {
            return Err(Failure::usage(anyhow!("{shown} is a folder: name a file")));
        }
        std::fs::File::open(file).and_then(|file| file.take(SOURCE_LIMIT + 1).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("failed to read {shown}")).map_err(Failure::usage)?;
    if bytes.len() as u64 > SOURCE_LIMIT {
        let limit = Size::from_bytes(SOURCE_LIMIT);
        return Err(Failure::usage(anyhow!("{shown} is larger than {limit}, the most that one program may have")));
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Failure::usage(anyhow!("{shown} is not a text in UTF-8: is it a binary?")))?;
    let name = if is_stdin(file) { None } else { file.file_name().map(|name| name.to_string_lossy().into_owned()) };
    Ok((text, name))
}

fn language<'a>(arguments: &RunArguments, settings: &'a Settings, text: &str) -> Result<&'a Language, Failure> {
    let shown = arguments.file.display();
    let known = || settings.languages.0.keys().cloned().collect::<Vec<_>>().join(", ");
    let found = match &arguments.lang {
        Some(name) => {
            settings.languages.named(name).ok_or_else(|| anyhow!("unknown language {name:?}: it is one of {}", known()))
        }
        None if is_stdin(&arguments.file) => settings
            .languages
            .of(Path::new(""), text)
            .ok_or_else(|| anyhow!("code from stdin names no language: add --lang, one of {}", known())),
        None => settings.languages.of(&arguments.file, text).ok_or_else(|| {
            anyhow!("cannot tell the language of {shown} by its name or a #! line: add --lang, one of {}", known())
        }),
    };
    found.map_err(Failure::usage)
}

fn snippet(arguments: &RunArguments, text: &Text, name: Option<&str>, language: &Language) -> Result<Snippet, Failure> {
    let shown = arguments.file.display();
    let Some(lines) = &arguments.lines else {
        return Snippet::file(text, name, language)
            .with_context(|| format!("failed to run {shown}"))
            .map_err(Failure::usage);
    };
    let first = text.line(lines.start() - 1).ok_or_else(|| {
        Failure::usage(anyhow!("{shown} has no line {}: it has {}", lines.start(), text.line_count()))
    })?;
    let last = text.line(lines.end() - 1).map_or(text.as_str().len(), |line| line.end);
    let selected = Snippet::selection(text, first.start..last, name, language);
    selected.with_context(|| format!("failed to run {shown}")).map_err(Failure::usage)
}

fn open_input(path: &Path) -> Result<std::fs::File, Failure> {
    let opened = std::fs::File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() { Err(std::io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
    });
    opened.with_context(|| format!("failed to read the input {}", path.display())).map_err(Failure::usage)
}

/// Reads on a thread of its own, since a read of a terminal cannot be given up.
fn pump(mut source: impl std::io::Read + Send + 'static) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 32 * 1024];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    if sender.blocking_send(Bytes::copy_from_slice(&buffer[..length])).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Ctrl-C and SIGTERM stop the run, which then ends as every run does.
pub(super) async fn interrupt(manager: Manager, stop: CancellationToken) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            return;
        };
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            stop.cancel();
            let _ = manager.cancel(None);
        }
    }
    #[cfg(not(unix))]
    while tokio::signal::ctrl_c().await.is_ok() {
        stop.cancel();
        let _ = manager.cancel(None);
    }
}

/// Puts events onto our own streams.
struct Printer {
    json: bool,
    broken: bool,
}

impl Printer {
    fn print(&mut self, event: &Event) {
        let written = if self.json { Self::json(event) } else { Self::plain(event) };
        self.broken |= written.is_err();
    }

    fn json(event: &Event) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer(&mut stdout, event)?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    fn plain(event: &Event) -> std::io::Result<()> {
        match event {
            Event::Output(output) if output.stream == Stream::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&output.raw)?;
                stdout.flush()
            }
            Event::Output(output) => std::io::stderr().lock().write_all(&output.raw),
            Event::Phase(phase) if phase.phase == crate::protocol::PhaseName::Pull && phase.wall_ms.is_none() => {
                if std::io::stderr().is_terminal() {
                    say("fetching the image of the language");
                }
                Ok(())
            }
            Event::Started(_) | Event::Phase(_) | Event::Finished(_) => Ok(()),
        }
    }
}
