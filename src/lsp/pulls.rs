//! Images ahead of need and on request, each with its progress and a cancel button that works.
//!
//! What an open document needs is fetched in the background, once: an image whose pull the user stopped is left alone for the
//! rest of the session, one that failed for a while. A run and `runpen.pullImages` ask for it whatever was before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower_lsp::ls_types::{MessageType, ProgressToken};

use super::documents::Source;
use super::handlers::{command, settings};
use super::progress::Progress;
use super::session::Shared;
use crate::config::Settings;
use crate::engine::EngineError;
use crate::engine::owner::random_id;
use crate::language::Language;
use crate::protocol::{ImageStatus, PullImagesAnswer, PullImagesParams};
use crate::run::{Pulling, Ticket};
use crate::snippet::Snippet;

/// How often a progress says something new at the most.
pub(crate) const PACE: Duration = Duration::from_millis(200);

/// How long an image that could not be fetched is left alone.
const PAUSE: Duration = Duration::from_secs(300);

/// How long the engine may take to tell which images it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pulls that the client sees.
#[derive(Default)]
pub(crate) struct Pulls {
    /// Those with a progress.
    shown: HashMap<ProgressToken, CancellationToken>,
    /// Images that are left alone: until when; `None` is until the end.
    left_alone: HashMap<String, Option<Instant>>,
}

impl Pulls {
    /// The cancel button.
    pub(crate) fn cancel(&self, token: &ProgressToken) {
        if let Some(pull) = self.shown.get(token) {
            pull.cancel();
        }
    }

    fn leaves_alone(&self, image: &str) -> bool {
        match self.left_alone.get(image) {
            None => false,
            Some(None) => true,
            Some(Some(until)) => Instant::now() < *until,
        }
    }
}

/// A document of this language is open: its image comes if it must, and containers get ready. Nobody waits.
pub(crate) fn ahead(session: &Shared, source: &Source, language: &Language, settings: &Arc<Settings>) {
    if !settings.warm.enabled {
        return;
    }
    let file_name = Snippet::file(&source.text, Some(&source.name()), language).ok().map(|snippet| snippet.file_name);
    let (session, language, settings) = (Arc::clone(session), language.clone(), Arc::clone(settings));
    tokio::spawn(async move {
        let manager = &session.backend.manager;
        if settings.warm.pull && !session.pulls().leaves_alone(&language.image) {
            // An engine that does not answer is left for the run to complain of.
            if let Ok(Some(ticket)) = manager.fetch(&language, &settings).await {
                let wish = Wish { language, file_name, ticket };
                let pull = Pull { session: Arc::clone(&session), settings, stop: CancellationToken::new() };
                pull.follow(vec![wish], None).await;
                return;
            }
        }
        manager.expect(&language, &settings, file_name.as_deref());
    });
}

/// `runpen.pullImages`. The error is about the arguments.
pub(crate) async fn requested(
    session: &Shared,
    params: PullImagesParams,
    token: Option<ProgressToken>,
) -> Result<PullImagesAnswer, String> {
    let settings = settings::load(session, None)?;
    let languages = languages(session, &settings, params.languages)?;
    let asking = languages.iter().map(|language| async {
        let asked = tokio::time::timeout(PATIENCE, session.backend.manager.fetch(language, &settings)).await;
        asked.unwrap_or_else(|_| {
            let reason = format!("the engine did not answer within {} s", PATIENCE.as_secs());
            Err(EngineError::Failed { operation: format!("look up image {}", language.image), reason })
        })
    });
    let asked = futures_util::future::join_all(asking).await;
    let (mut images, mut wishes) = (Vec::with_capacity(languages.len()), Vec::new());
    for (language, asked) in languages.into_iter().zip(asked) {
        let mut status =
            ImageStatus { language: language.name.clone(), image: language.image.clone(), present: false, error: None };
        match asked {
            Ok(None) => status.present = true,
            Ok(Some(ticket)) => wishes.push(Wish { language, file_name: None, ticket }),
            Err(error) => status.error = Some(error.to_string()),
        }
        images.push(status);
    }
    let stop = CancellationToken::new();
    // Who stops waiting no longer wants what was waited for.
    let guard: Option<DropGuard> = params.wait.then(|| stop.clone().drop_guard());
    let pull = Pull { session: Arc::clone(session), settings, stop };
    let following = tokio::spawn(pull.follow(wishes, token));
    if params.wait {
        let ends = following.await.unwrap_or_default();
        for status in &mut images {
            match ends.get(&status.image) {
                Some(Ok(())) => status.present = true,
                Some(Err(error)) => status.error = Some(error.clone()),
                None => {}
            }
        }
    }
    drop(guard.map(DropGuard::disarm));
    Ok(PullImagesAnswer { images })
}

/// The languages that were named, else those of the open documents.
fn languages(session: &Shared, settings: &Settings, names: Option<Vec<String>>) -> Result<Vec<Language>, String> {
    let mut languages: Vec<Language> = if let Some(names) = names {
        let find = |name: &String| settings.languages.expect_named(name).cloned();
        names.iter().map(find).collect::<Result<_, _>>()?
    } else {
        let sources = session.board().documents.sources();
        sources.iter().filter_map(|source| command::language_of(settings, source).cloned()).collect()
    };
    languages.sort_by(|one, other| one.name.cmp(&other.name));
    languages.dedup_by(|one, other| one.name == other.name);
    Ok(languages)
}

/// A language whose image is on its way.
struct Wish {
    language: Language,
    /// Of the document that is open.
    file_name: Option<String>,
    ticket: Ticket,
}

enum News {
    Step(usize, Pulling),
    End(usize, Result<(), EngineError>),
}

struct Pull {
    session: Shared,
    settings: Arc<Settings>,
    stop: CancellationToken,
}

impl Pull {
    /// Follows pulls to their ends, which it gives by image.
    async fn follow(self, wishes: Vec<Wish>, token: Option<ProgressToken>) -> HashMap<String, Result<(), String>> {
        let languages: Vec<Language> = wishes.iter().map(|wish| wish.language.clone()).collect();
        let names: Vec<Option<String>> = wishes.iter().map(|wish| wish.file_name.clone()).collect();
        let shown = self.progress(token, &languages);
        let (sender, mut news) = mpsc::channel(16);
        let mut tasks = JoinSet::new();
        for (number, wish) in wishes.into_iter().enumerate() {
            tasks.spawn(watch(number, wish.ticket, sender.clone()));
        }
        drop(sender);
        let mut ends = HashMap::new();
        let cancelled = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break true,
                came = news.recv() => match came {
                    None => break false,
                    Some(News::Step(number, now)) => {
                        if let Some((_, progress)) = &shown {
                            progress.report(&format!("{}: {now}", languages[number].image));
                        }
                    }
                    Some(News::End(number, end)) => {
                        self.ended(&languages[number], names[number].as_deref(), &end);
                        ends.insert(languages[number].image.clone(), end.map_err(|error| error.to_string()));
                    }
                }
            }
        };
        // Dropping the tickets stops what nobody else waits for.
        tasks.shutdown().await;
        if cancelled {
            for language in &languages {
                if !ends.contains_key(&language.image) {
                    self.session.pulls().left_alone.insert(language.image.clone(), None);
                    ends.insert(language.image.clone(), Err("it was cancelled".to_owned()));
                }
            }
        }
        if let Some((token, progress)) = shown {
            self.session.pulls().shown.remove(&token);
            progress.end(&summary(&languages, &ends, cancelled));
        }
        ends
    }

    fn ended(&self, language: &Language, file_name: Option<&str>, end: &Result<(), EngineError>) {
        match end {
            Ok(()) => {
                self.session.pulls().left_alone.remove(&language.image);
                self.session.backend.manager.expect(language, &self.settings, file_name);
            }
            Err(error) => {
                self.session.pulls().left_alone.insert(language.image.clone(), Some(Instant::now() + PAUSE));
                self.session.log(MessageType::ERROR, error.to_string());
            }
        }
    }

    /// A progress: the one that the request named, else one that the client is asked for when there is something to show.
    fn progress(&self, token: Option<ProgressToken>, languages: &[Language]) -> Option<(ProgressToken, Progress)> {
        let title = match languages {
            [one] => format!("Fetch {}", one.image),
            more => format!("Fetch {} images", more.len()),
        };
        let session = &self.session;
        let outbox = session.outbox.clone();
        let (token, progress) = if let Some(token) = token {
            (token.clone(), Progress::named(outbox, token, title))
        } else if !languages.is_empty() && session.capabilities().progress && session.features().progress {
            let token = ProgressToken::String(format!("runpen/pull/{}", random_id::<4>()));
            (token.clone(), Progress::asked_for(session.client.clone(), outbox, token, title))
        } else {
            return None;
        };
        session.pulls().shown.insert(token.clone(), self.stop.clone());
        Some((token, progress))
    }
}

/// Passes on what a pull tells, at a pace that a person can read.
async fn watch(number: usize, mut ticket: Ticket, news: mpsc::Sender<News>) {
    while let Some(now) = ticket.news().await {
        if news.send(News::Step(number, now)).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PACE) => {}
            _ = ticket.done() => break,
        }
    }
    let _ = news.send(News::End(number, ticket.done().await)).await;
}

/// The last word of a progress.
fn summary(languages: &[Language], ends: &HashMap<String, Result<(), String>>, cancelled: bool) -> String {
    if cancelled {
        return "cancelled".to_owned();
    }
    match (languages, ends.values().find_map(|end| end.as_ref().err())) {
        (_, Some(error)) => error.clone(),
        ([], None) => "nothing to fetch: all images are there".to_owned(),
        ([one], None) => format!("fetched {}", one.image),
        (more, None) => format!("fetched {} images", more.len()),
    }
}
