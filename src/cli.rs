//! The command line: one file a subcommand. Runpen's own words go to standard error, one line each.

pub mod doctor;
pub mod run;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::engine::Engines;
use crate::engine::owner::Owner;
use crate::engine::select::{Selector, no_embedded};

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
    Run(run::RunArguments),
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
    let result = runtime.block_on(async {
        match arguments.command.unwrap_or(Command::Lsp { stdio: arguments.stdio }) {
            Command::Lsp { .. } => Err(Failure::usage(anyhow::anyhow!("not here yet"))),
            Command::Run(arguments) => run::run(arguments, crate::config::Settings::default(), engines()).await,
        }
    });
    // A thread may still sit in a read of stdin; nobody waits for it.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => complain(&failure),
    }
}

/// The engines of this machine. Its containers are ours as long as this process lives.
fn engines() -> Arc<dyn Engines> {
    Arc::new(Selector::new(Arc::new(Owner::claim()), no_embedded))
}

/// One line on standard error.
fn complain(failure: &Failure) -> ExitCode {
    say(&format!("{:#}", failure.error));
    ExitCode::from(failure.code)
}

/// Says one line on standard error, whatever a message contains.
fn say(line: &str) {
    let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr().lock(), "runpen: {line}");
}
