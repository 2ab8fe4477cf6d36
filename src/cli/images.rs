//! `runpen images`: what is here and whose it is, fetching some, throwing away what is unused.
//!
//! A prune touches nothing that Runpen did not bring: an image goes only when the ledger says that Runpen fetched it, with the
//! digest that it still has, or made it; with `--all` also when it has both the name and the label of a derived one, whoever
//! made it. What a container uses stays.

mod list;
mod prune;

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;

use super::{FAILED, Failure, print, say, settings};
use crate::config::{EngineChoice, Layer, Settings, Span};
use crate::engine::ledger::Ledger;
use crate::engine::{Engine, Engines};
use crate::language::Language;
use crate::run::{Manager, Ticket};

/// How long stopping a pull may take.
const GRACE: Duration = Duration::from_secs(5);

/// How often a line of progress is rewritten at the most.
const PACE: Duration = Duration::from_millis(100);

/// `runpen images …`
#[derive(Debug, Subcommand)]
pub(super) enum ImagesCommand {
    /// Images of the languages and all that Runpen brought: size, what is shared, last use.
    List {
        /// An array of JSON objects instead of a table.
        #[arg(long)]
        json: bool,
        /// Engine: auto, docker or embedded.
        #[arg(long, value_name = "ENGINE", value_parser = super::engine_choice)]
        engine: Option<EngineChoice>,
    },
    /// Fetch the images of some languages.
    Pull {
        /// Names of languages.
        #[arg(value_name = "LANGUAGE", required_unless_present = "all")]
        languages: Vec<String>,
        /// Those of all languages.
        #[arg(long, conflicts_with = "languages")]
        all: bool,
        /// Engine: auto, docker or embedded.
        #[arg(long, value_name = "ENGINE", value_parser = super::engine_choice)]
        engine: Option<EngineChoice>,
    },
    /// Throw away what Runpen brought and nothing needs: images of no language any more, derived ones that are out of date,
    /// and what was not used for long.
    Prune {
        /// Say what would go and what that frees, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// All that Runpen brought, used or not.
        #[arg(long)]
        all: bool,
        /// How long unused is long.
        #[arg(long, value_name = "TIME", default_value = "720h")]
        unused_for: Span,
        /// Engine: auto, docker or embedded.
        #[arg(long, value_name = "ENGINE", value_parser = super::engine_choice)]
        engine: Option<EngineChoice>,
    },
}

/// Does it, and gives the exit code.
pub(super) async fn run(command: ImagesCommand, engines: Arc<dyn Engines>) -> Result<u8, Failure> {
    let (ImagesCommand::List { engine, .. } | ImagesCommand::Pull { engine, .. } | ImagesCommand::Prune { engine, .. }) =
        &command;
    let settings = settings::load(&Layer { engine: *engine, ..Layer::default() }, None)?;
    let ledger = Ledger::open();
    match command {
        ImagesCommand::List { json, .. } => {
            let engine = engine_of(&engines, &settings).await?;
            let rows = list::rows(engine.as_ref(), &settings, &ledger).await.map_err(anyhow::Error::from)?;
            print(&if json { list::json(&rows)? } else { list::table(&rows) })
        }
        ImagesCommand::Pull { languages, all, .. } => {
            let chosen = choose(&settings, &languages, all)?;
            pull(&Manager::new(engines).noting(ledger), &settings, chosen).await
        }
        ImagesCommand::Prune { dry_run, all, unused_for, .. } => {
            let engine = engine_of(&engines, &settings).await?;
            let rule = prune::Rule { all, unused_for: unused_for.duration() };
            let rows = list::rows(engine.as_ref(), &settings, &ledger).await.map_err(anyhow::Error::from)?;
            let (text, complete) = prune::run(engine.as_ref(), &ledger, &rows, &rule, dry_run).await;
            print(&text)?;
            Ok(if complete { 0 } else { FAILED })
        }
    }
}

async fn engine_of(engines: &Arc<dyn Engines>, settings: &Settings) -> Result<Arc<dyn Engine>, Failure> {
    Ok(engines.engine(&settings.engine_wish()).await.map_err(anyhow::Error::from)?)
}

fn choose(settings: &Settings, names: &[String], all: bool) -> Result<Vec<Language>, Failure> {
    if all {
        return Ok(settings.languages.0.values().cloned().collect());
    }
    let find = |name: &String| {
        settings.languages.expect_named(name).cloned().map_err(|error| Failure::usage(anyhow::anyhow!(error)))
    };
    names.iter().map(find).collect()
}

/// Fetches one after the other; an image that fails does not keep the others from coming.
async fn pull(manager: &Manager, settings: &Settings, languages: Vec<Language>) -> Result<u8, Failure> {
    let mut failed = false;
    for language in languages {
        let image = &language.image;
        let end = match manager.fetch(&language, settings).await {
            Ok(None) => {
                say(&format!("{image} is here"));
                continue;
            }
            Ok(Some(ticket)) => tokio::select! {
                end = follow(ticket, image) => end,
                _ = tokio::signal::ctrl_c() => {
                    manager.shutdown(GRACE).await;
                    return Err(anyhow::anyhow!("cancelled while fetching {image}").into());
                }
            },
            Err(error) => Err(error),
        };
        match end {
            Ok(()) => say(&format!("fetched {image}")),
            Err(error) => {
                failed = true;
                say(&error.to_string());
            }
        }
    }
    manager.shutdown(GRACE).await;
    Ok(if failed { FAILED } else { 0 })
}

/// Waits for a pull, with a line that is rewritten on a terminal.
async fn follow(mut ticket: Ticket, image: &str) -> Result<(), crate::engine::EngineError> {
    let shown = std::io::stderr().is_terminal();
    if !shown {
        return ticket.done().await;
    }
    while let Some(now) = ticket.news().await {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K{image}: {now}");
        tokio::time::sleep(PACE).await;
    }
    let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    ticket.done().await
}
