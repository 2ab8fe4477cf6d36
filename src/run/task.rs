//! One run, from its request to its `finished`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bakery::Bakery;
use super::guest::{self, Boot};
use super::manager::{Registered, RunRequest};
use super::pool::{Pool, Recipe, Taken, Waiting};
use super::pulls::Pulls;
use super::stage::{self, Job, Sequence, StageEnd};
use super::verdict::{self, Verdict};
use crate::engine::ledger::Ledger;
use crate::engine::owner::random_id;
use crate::engine::{Container, Engine, EngineError, Engines, Spec};
use crate::language::Language;
use crate::metrics::{Metrics, Ran};
use crate::plan::{CODE_DIR, Plan, Stage};
use crate::protocol::{Event, Finished, Outcome, Phase, PhaseName, PhaseState, PhaseUsage, Receipt, Started, Stream};
use crate::report::{self, Message};

/// How long the engine may take to read a container back.
const RECEIPT_GRACE: Duration = Duration::from_secs(2);

/// The sending side of a run: every event goes through here, in order.
pub(super) struct Voice {
    pub(super) run_id: String,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) cancel: CancellationToken,
}

impl Voice {
    /// Says something that does not come in floods. A client that is gone cancels the run.
    pub(super) async fn say(&self, event: Event) {
        if self.events.send(event).await.is_err() {
            self.cancel.cancel();
        }
    }

    async fn phase_begins(&self, phase: PhaseName) -> Instant {
        let state = PhaseState::Begin;
        self.say(Event::Phase(Phase { run_id: self.run_id.clone(), phase, state, wall_ms: None, exit_code: None }))
            .await;
        Instant::now()
    }

    async fn phase_ends(&self, phase: PhaseName, wall: Duration, exit_code: Option<i32>) {
        let (state, wall_ms) = (PhaseState::End, Some(milliseconds(wall)));
        self.say(Event::Phase(Phase { run_id: self.run_id.clone(), phase, state, wall_ms, exit_code })).await;
    }
}

/// What a run has gathered so far.
#[derive(Default)]
struct Record {
    phases: Vec<PhaseUsage>,
    truncated: bool,
    receipt: Option<Receipt>,
    messages: Vec<Message>,
    /// When its turn came.
    begun: Option<Instant>,
    warm: Option<bool>,
    sequence: Sequence,
}

impl Record {
    fn counted(&self) -> Ran {
        let Some(begun) = self.begun else { return Ran::default() };
        let first_byte = self.sequence.first.map(|first| first.into_std().saturating_duration_since(begun));
        Ran { first_byte, duration: begun.elapsed(), warm: self.warm, printed: self.sequence.printed }
    }
}

/// Owns everything that one run needs.
pub(super) struct Task {
    pub(super) voice: Voice,
    pub(super) request: RunRequest,
    pub(super) engines: Arc<dyn Engines>,
    pub(super) input: Option<mpsc::Receiver<Bytes>>,
    /// Takes over starts and tracker of containers, so that a cancelled run or `finished` need not wait for them.
    pub(super) tracker: TaskTracker,
    pub(super) pool: Pool,
    pub(super) bakery: Bakery,
    pub(super) pulls: Pulls,
    pub(super) ledger: Ledger,
    pub(super) metrics: Metrics,
}

impl Task {
    /// Runs to the end and says `finished`, exactly once, last.
    pub(super) async fn run(mut self, registered: Registered) {
        let mut record = Record::default();
        let verdict = match self.execute(&mut record).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::failure(error.to_string()),
        };
        if let Some(error) = &verdict.error {
            tracing::info!(run = self.voice.run_id, outcome = ?verdict.outcome, error, "run ended");
        }
        self.metrics.ran(&self.request.language.name, verdict.outcome, record.counted());
        let diagnostics = verdict::diagnostics(&self.request, &verdict, &record.messages);
        let finished = Finished {
            run_id: self.voice.run_id.clone(),
            outcome: verdict.outcome,
            exit_code: verdict.exit_code,
            signal: verdict.signal,
            error: verdict.error,
            phases: record.phases,
            truncated: record.truncated,
            sandbox: record.receipt,
            diagnostics,
            stdout: None,
            stderr: None,
        };
        drop(registered);
        self.voice.say(Event::Finished(Box::new(finished))).await;
    }

    async fn execute(&mut self, record: &mut Record) -> Result<Verdict, EngineError> {
        let cancel = self.voice.cancel.clone();
        let _turn = match self.request.turns.clone() {
            None => None,
            // Nobody closes it.
            Some(turns) => match cancel.run_until_cancelled(turns.acquire_owned()).await {
                Some(turn) => turn.ok(),
                None => return Ok(Verdict::cancelled()),
            },
        };
        record.begun = Some(Instant::now());
        let wish = self.request.settings.engine_wish();
        let Some(engine) = cancel.run_until_cancelled(self.engines.engine(&wish)).await else {
            return Ok(Verdict::cancelled());
        };
        let engine = engine?;
        let Some(language) = cancel.run_until_cancelled(self.best_language(&engine)).await else {
            return Ok(Verdict::cancelled());
        };
        let plan = &Plan::with_files(
            &self.request.snippet,
            &language,
            &self.request.settings,
            &self.request.args,
            &self.request.files,
        );
        let taken = self.take(&engine, plan);
        let warm = taken.iter().all(|taken| matches!(taken, Some(Taken::Ready(_))));
        record.warm = (self.request.settings.warm.enabled && !self.request.cold).then_some(warm);
        self.started(engine.name(), plan, warm).await;
        let Some(vessels) = cancel.run_until_cancelled(self.vessels(&engine, plan, taken)).await else {
            return Ok(Verdict::cancelled());
        };
        let mut vessels = vessels?.into_iter();
        let pack = guest::pack(&plan.files);
        let mut tar = vec![pack.map_err(|error| failed("pack the program", &error.to_string()))?];
        let mut verdict = Verdict::failure("the plan has no stage".to_owned());
        for (stage, vessel) in plan.stages.iter().zip(vessels.by_ref()) {
            let (after, artifacts) = self.stage(stage, vessel, &tar, record).await;
            verdict = after;
            if stage.phase == PhaseName::Compile && verdict.exit_code != Some(0) || verdict.outcome != Outcome::Exited {
                break;
            }
            tar = artifacts;
        }
        for vessel in vessels {
            self.remove(vessel.container.handle);
        }
        self.pool.run_ended();
        let (ledger, place, image) = (self.ledger.clone(), engine.place(), plan.image.clone());
        let base = self.request.language.image.clone();
        self.tracker.spawn_blocking(move || {
            for image in std::collections::BTreeSet::from([image, base]) {
                ledger.used(&place, &image);
            }
        });
        Ok(verdict)
    }

    /// The language on its derived image, where that is ready or worth waiting for.
    async fn best_language(&self, engine: &Arc<dyn Engine>) -> Language {
        let lasting = self.request.settings.warm.enabled;
        let waiting = async {
            tracing::info!(language = self.request.language.name, "waits for its toolchain to be prepared");
        };
        self.bakery.best(engine, &self.request.language, lasting, waiting).await
    }

    /// A container that waits or is on its way for each stage that finds one, and a word to the pool that more of them will be wanted.
    fn take(&self, engine: &Arc<dyn Engine>, plan: &Plan) -> Vec<Option<Taken>> {
        let recipes = recipes(plan, &self.request.language, &self.request.snippet.file_name);
        let warm = &self.request.settings.warm;
        let take = |recipe: Recipe| {
            let taken = if self.request.cold { None } else { self.pool.take(&recipe) };
            if !self.request.cold {
                self.pool.want(recipe, engine, warm, true);
            }
            taken
        };
        recipes.into_iter().map(take).collect()
    }

    async fn started(&self, engine: &str, plan: &Plan, warm: bool) {
        let started = Started {
            run_id: self.voice.run_id.clone(),
            uri: self.request.uri.clone(),
            range: self.request.range,
            language: plan.language.clone(),
            engine: engine.to_owned(),
            image: plan.image.clone(),
            warm,
        };
        self.voice.say(Event::Started(started)).await;
    }

    /// One stage: its verdict, and the tar of what it built.
    async fn stage(
        &mut self,
        stage: &Stage,
        vessel: Vessel,
        tar: &[Bytes],
        record: &mut Record,
    ) -> (Verdict, Vec<Bytes>) {
        let Vessel { container, booted } = vessel;
        let (nonce, opening) = if let Some(nonce) = booted {
            (nonce, guest::program(&self.request.snippet.file_name, &self.request.args, tar))
        } else {
            let nonce = random_id::<16>();
            let opening = guest::opening(stage, &nonce, tar, container.handle.outlives_server());
            (nonce, opening)
        };
        let handle = Arc::clone(&container.handle);
        if self.request.settings.strict
            && let Err(error) = complete(handle.as_ref()).await
        {
            self.remove(handle);
            return (Verdict::failure(error.to_string()), Vec::new());
        }
        let begun = self.voice.phase_begins(stage.phase).await;
        let receipt = tokio::spawn({
            let handle = Arc::clone(&handle);
            async move { handle.receipt().await }
        });
        let input = if stage.phase == PhaseName::Run { self.input.take() } else { None };
        let format = self.request.language.report;
        let quiet = report::for_machines(format, stage.phase);
        let sequence = &mut record.sequence;
        let job = Job { voice: &self.voice, stage, nonce: &nonce, sequence, quiet, raw: self.request.raw };
        let mut end = stage::run(job, container, opening, input).await;
        let wall = begun.elapsed();
        let usage = handle.usage().await;
        if let Some(receipt) = tokio::time::timeout(RECEIPT_GRACE, receipt).await.ok().and_then(receipt_of) {
            if let (true, stage::Stop::Told(trailer)) = (receipt.lacks("memory"), &mut end.stop) {
                trailer.forget_counts();
            }
            record.receipt = Some(receipt);
        }
        self.remove(handle);
        let verdict = Verdict::of(stage, &end, usage);
        let messages = self.report(stage, &end, &verdict);
        record.phases.push(verdict::usage_of(stage.phase, wall, &end, usage));
        record.truncated |= end.truncated;
        for event in end.unsaid {
            self.voice.say(event).await;
        }
        if quiet {
            let text = report::render(end.stderr.as_str(), &messages, &self.request.snippet);
            if !text.is_empty() {
                let (text, raw) = if self.request.raw { (String::new(), text.into()) } else { (text, Bytes::new()) };
                self.voice.say(record.sequence.event(&self.voice.run_id, Stream::Stderr, text, raw)).await;
            }
        }
        record.messages.extend(messages);
        self.voice.phase_ends(stage.phase, wall, verdict.exit_code).await;
        (verdict, end.artifacts)
    }

    fn report(&self, stage: &Stage, end: &StageEnd, verdict: &Verdict) -> Vec<Message> {
        let path = format!("{CODE_DIR}/{}", self.request.snippet.file_name);
        let input = report::Input {
            phase: stage.phase,
            program: &self.request.snippet.program,
            path: &path,
            stderr: end.stderr.as_str(),
            exit_code: verdict.exit_code,
            signal: verdict.signal,
        };
        report::parse(self.request.language.report, &input)
    }

    /// A container for each stage: the one it has taken, else a new one. All are started together: while one compiles, the
    /// one that will run it is getting ready.
    async fn vessels(
        &self,
        engine: &Arc<dyn Engine>,
        plan: &Plan,
        taken: Vec<Option<Taken>>,
    ) -> Result<Vec<Vessel>, EngineError> {
        let mut vessels: Vec<Option<Vessel>> = Vec::with_capacity(taken.len());
        let mut coming = Vec::with_capacity(taken.len());
        for taken in taken {
            let (ready, later) = match taken {
                Some(Taken::Ready(waiting)) => (Some(waiting.into()), None),
                Some(Taken::Coming(later)) => (None, Some(later)),
                None => (None, None),
            };
            vessels.push(ready);
            coming.push(later);
        }
        match self.start_missing(engine, plan, &mut vessels, coming).await {
            Err(EngineError::ImageMissing { .. }) => {
                self.pull(engine, &plan.image).await?;
                self.start_missing(engine, plan, &mut vessels, Vec::new()).await?;
            }
            other => other?,
        }
        Ok(vessels.into_iter().flatten().collect())
    }

    /// Each start is a task of its own, so that one whose run is cancelled meanwhile still ends, and its container is
    /// removed. One that is taken over and fails on its way is started anew.
    async fn start_missing(
        &self,
        engine: &Arc<dyn Engine>,
        plan: &Plan,
        vessels: &mut [Option<Vessel>],
        coming: Vec<Option<oneshot::Receiver<Waiting>>>,
    ) -> Result<(), EngineError> {
        let coming = coming.into_iter().chain(std::iter::repeat_with(|| None));
        let starts: Vec<_> = std::iter::zip(&plan.stages, vessels)
            .zip(coming)
            .filter(|((_, vessel), _)| vessel.is_none())
            .map(|((stage, vessel), coming)| {
                let (spec, engine) = (spec(plan, stage), Arc::clone(engine));
                let start = self.tracker.spawn(async move {
                    if let Some(coming) = coming
                        && let Ok(waiting) = coming.await
                    {
                        return Ok(waiting.into());
                    }
                    Ok(Vessel { container: engine.start(&spec).await?, booted: None })
                });
                (vessel, start)
            })
            .collect();
        for (vessel, start) in starts {
            *vessel = Some(start.await.map_err(|error| failed("start a container", &error.to_string()))??);
        }
        Ok(())
    }

    async fn pull(&self, engine: &Arc<dyn Engine>, image: &str) -> Result<(), EngineError> {
        let mut ticket = self.pulls.join(engine, image);
        let begun = self.voice.phase_begins(PhaseName::Pull).await;
        let pulled = ticket.done().await;
        self.voice.phase_ends(PhaseName::Pull, begun.elapsed(), None).await;
        pulled
    }

    /// Removes a container in the background. The manager's shutdown waits for it.
    fn remove(&self, handle: Arc<dyn crate::engine::Handle>) {
        self.tracker.spawn(async move {
            if let Err(error) = handle.remove().await {
                tracing::warn!(container = handle.name(), %error, "a container could not be removed; `runpen gc` tries again");
            }
        });
    }
}

/// With `strict`, a container that lacks a control takes no program.
async fn complete(handle: &dyn crate::engine::Handle) -> Result<(), EngineError> {
    let receipt = handle.receipt().await?;
    match receipt.missing.first() {
        None => Ok(()),
        Some(missing) => Err(EngineError::ControlMissing {
            engine: receipt.engine,
            control: missing.clone(),
            advice: "mend that, or set strict = false".to_owned(),
        }),
    }
}

fn receipt_of(joined: Result<Result<Receipt, EngineError>, tokio::task::JoinError>) -> Option<Receipt> {
    match joined {
        Ok(Ok(receipt)) => Some(receipt),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the receipt could not be read");
            None
        }
        Err(_) => None,
    }
}

/// A container for one stage.
struct Vessel {
    container: Container,
    /// The nonce of its interpreter, when one is up already.
    booted: Option<String>,
}

impl From<Waiting> for Vessel {
    fn from(waiting: Waiting) -> Self {
        Self { container: waiting.container, booted: waiting.nonce }
    }
}

fn spec(plan: &Plan, stage: &Stage) -> Spec {
    Spec { image: plan.image.clone(), command: guest::entry(), sandbox: stage.sandbox }
}

/// What may wait for each stage of a plan.
pub(super) fn recipes(plan: &Plan, language: &Language, file_name: &str) -> Vec<Recipe> {
    let file = plan.files.iter().find(|file| file.path == file_name);
    let recipe = |stage: &Stage| Recipe {
        language: plan.language.clone(),
        spec: spec(plan, stage),
        boot: language.boot.filter(|_| stage.phase == PhaseName::Run).and_then(|kind| Boot::of(kind, stage, file?)),
    };
    plan.stages.iter().map(recipe).collect()
}

fn failed(operation: &str, reason: &str) -> EngineError {
    EngineError::Failed { operation: operation.to_owned(), reason: reason.to_owned() }
}

/// As the wire has durations.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
