//! The command line: one file a subcommand. Runpen's own words go to standard error, one line each.

mod block;
pub mod check;
pub mod doctor;
mod images;
mod languages;
mod log;
pub mod run;
mod schema;
mod settings;
mod status;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio_util::task::AbortOnDropHandle;

use self::settings::Files;
use crate::config::{EngineChoice, EngineWish, Layer};
use crate::engine::Engines;
use crate::engine::ledger::Ledger;
use crate::engine::owner::{self, Owner};
use crate::engine::select::{Selector, embedded};
use crate::lsp::{self, Backend, Outputs};

/// Runpen or its engine failed.
pub const FAILED: u8 = 125;
/// Wrong usage.
pub const USAGE: u8 = 2;

/// Run code from your editor inside a hardened, single-use sandbox.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = false, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Accepted and ignored: the language server speaks over stdin and stdout anyway.
    #[arg(long, global = false, hide = true)]
    stdio: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The language server on stdin and stdout (the default).
    Lsp {
        /// Accepted and ignored.
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Run a file, or code from stdin, in the sandbox.
    Run(Box<run::RunArguments>),
    /// Run the code blocks of documents and compare what they print with what the pages promise.
    Check(Box<check::CheckArguments>),
    /// Engine, image, and a live probe of every control of the sandbox.
    Doctor {
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
        /// Engine: auto, docker or embedded.
        #[arg(long, value_name = "ENGINE", value_parser = engine_choice)]
        engine: Option<EngineChoice>,
    },
    /// The servers of this user: engine, waiting containers, runs, and what was counted.
    Status {
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Images: what is here and whose it is, fetch some, throw away what is unused.
    Images {
        #[command(subcommand)]
        command: images::ImagesCommand,
    },
    /// Every language: image, steps, limits, file extensions, and where each value comes from.
    Languages {
        /// An array of JSON objects instead of a table.
        #[arg(long)]
        json: bool,
        /// Say what each engine would run in the array too; asking this machine's toolchains takes a moment.
        #[arg(long)]
        engines: bool,
    },
    /// Remove what a crash left behind.
    Gc,
    /// The JSON schema of the configuration.
    Schema,
}

/// A failure with its exit code: the user's mistakes are told apart from ours.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// Wrong usage: a bad file, a bad flag, a bad configuration.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: USAGE, error: error.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { code: FAILED, error }
    }
}

/// Runs the command line to its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are answers, all else is one line.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.render().to_string();
            let line = text.split("\n\n").next().unwrap_or_default();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            return complain(&Failure::usage(anyhow::anyhow!("{line}; see `runpen --help`")));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return complain(&Failure::from(anyhow::Error::from(error).context("failed to start the runtime")));
        }
    };
    log::start(matches!(arguments.command, None | Some(Command::Lsp { .. })));
    let result = runtime.block_on(async {
        match arguments.command.unwrap_or(Command::Lsp { stdio: arguments.stdio }) {
            Command::Lsp { .. } => Ok(serve().await),
            Command::Run(arguments) => run::run(*arguments, engines(&owner())).await,
            Command::Check(arguments) => check::run(*arguments, engines(&owner())).await,
            Command::Doctor { json, engine } => doctor(json, engine).await,
            Command::Status { json } => {
                let folder = owner::folder().context("there is no cache folder, so no server can be found")?;
                print(&status::run(&folder, json).await?)
            }
            Command::Images { command } => images::run(command, engines(&owner())).await,
            Command::Languages { json, engines: wanted } => {
                let settings = settings::load(&Layer::default(), None)?;
                let toolchains = if wanted || !json {
                    Some(languages::toolchains(engines(&owner()).as_ref(), &settings).await)
                } else {
                    None
                };
                print(&languages::run(&settings, toolchains.as_ref(), json)?)
            }
            Command::Gc => gc().await,
            Command::Schema => print(&schema::run()?),
        }
    });
    // A thread may still sit in a read of stdin; nobody waits for it.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => complain(&failure),
    }
}

/// The language server, from its first byte to its exit code.
async fn serve() -> u8 {
    let owner = owner();
    let engines = engines(&owner);
    // Where the user's own settings say; settings that cannot be read are complained of when something is run.
    let wish = settings::load(&Layer::default(), None).map(|settings| settings.engine_wish()).unwrap_or_default();
    tokio::spawn(sweep(Arc::clone(&engines), wish));
    let outputs = Outputs::open();
    let left = outputs.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = left.sweep() {
            tracing::warn!(%error, "outputs that a crash left could not be removed");
        }
    });
    let backend = Backend::new(engines, Arc::new(Files)).noting(Ledger::open()).showing(outputs);
    let _telling = AbortOnDropHandle::new(tokio::spawn(crate::status::serve(owner, backend.status())));
    lsp::run_stdio(backend).await.exit_code()
}

/// Removes what servers before this one left, when an engine answers anyway.
async fn sweep(engines: Arc<dyn Engines>, wish: EngineWish) {
    let Ok(engine) = engines.engine(&wish).await else { return };
    match engine.sweep().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed what a crash had left"),
        Err(error) => tracing::warn!(%error, "what a crash left could not be removed"),
    }
}

async fn doctor(json: bool, engine: Option<EngineChoice>) -> Result<u8, Failure> {
    let settings = settings::load(&Layer { engine, ..Layer::default() }, None)?;
    let healthy = doctor::run(&settings, owner(), embedded, json, &mut std::io::stdout()).await?;
    Ok(u8::from(!healthy))
}

async fn gc() -> Result<u8, Failure> {
    let wish = settings::load(&Layer::default(), None)?.engine_wish();
    let engines = engines(&owner());
    let mut removed = Outputs::open().sweep().map_err(anyhow::Error::from)?;
    let mut answers = 0;
    let mut refused = Vec::new();
    for choice in [EngineChoice::Docker, EngineChoice::Embedded] {
        match engines.engine(&EngineWish { choice, ..wish.clone() }).await {
            Ok(engine) => {
                removed += engine.sweep().await.map_err(anyhow::Error::from)?;
                answers += 1;
            }
            Err(error) => refused.push(error.to_string()),
        }
    }
    if answers == 0 {
        return Err(anyhow::anyhow!(refused.join("; ")).into());
    }
    say(&format!("removed {removed} that a crash had left"));
    Ok(0)
}

/// Prints an answer. A reader that is gone has had what it wanted.
fn print(text: &str) -> Result<u8, Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(anyhow::Error::from(error).into()),
        _ => Ok(0),
    }
}

/// Who our containers belong to, as long as this process lives.
fn owner() -> Arc<Owner> {
    Arc::new(Owner::claim())
}

/// The engines of this machine.
fn engines(owner: &Arc<Owner>) -> Arc<dyn Engines> {
    Arc::new(Selector::new(Arc::clone(owner), embedded))
}

fn engine_choice(value: &str) -> Result<EngineChoice, String> {
    match value {
        "auto" => Ok(EngineChoice::Auto),
        "docker" => Ok(EngineChoice::Docker),
        "embedded" => Ok(EngineChoice::Embedded),
        _ => Err("it is one of auto, docker, embedded".to_owned()),
    }
}

/// One line on standard error.
fn complain(failure: &Failure) -> ExitCode {
    say(&format!("{:#}", failure.error));
    ExitCode::from(failure.code)
}

/// Says one line on standard error, whatever a message contains.
fn say(line: &str) {
    let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    // A name of a file may have in it what moves a cursor.
    let line: String = line.chars().filter(|character| !character.is_control()).collect();
    let _ = writeln!(std::io::stderr().lock(), "runpen: {line}");
}
