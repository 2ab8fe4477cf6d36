//! A scripted engine, for tests of everything around an engine: it makes no container and runs nothing.
//!
//! The program's text is its script, a line a step; a step with `compile:` before it belongs to the compile stage:
//!
//! | step | does |
//! |---|---|
//! | `out TEXT`, `err TEXT` | prints a line |
//! | `raw TEXT` | prints to standard output without a line end |
//! | `flood BYTES` | prints so many bytes in lines |
//! | `sleep MILLISECONDS` | waits |
//! | `cat` | prints its input until its end |
//! | `read` | prints one piece of input |
//! | `exit CODE`, `signal N`, `oom` | ends so |
//! | `hang` | never ends |
//! | `die` | ends without a trailer, as if the engine lost it |

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::{Notify, mpsc, watch};

use super::{
    BAKED, BakeSpec, Chunk, Container, Engine, EngineError, EngineInfo, Engines, Exit, Handle, Image, PullProgress,
    Spec,
};
use crate::config::{EngineWish, Isolation};
use crate::protocol::{Receipt, Stream};
use crate::run::guest::{READY, Trailer};

/// The scripted engine. Cheap to clone; clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct FakeEngine {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    started: AtomicUsize,
    alive: AtomicUsize,
    killed: Notify,
    unreachable: Mutex<Option<String>>,
    missing: Mutex<Vec<String>>,
    baked: Mutex<Vec<BakeSpec>>,
    lacking: Mutex<Vec<String>>,
    pulls: AtomicUsize,
    /// What the next pulls come to, before one succeeds.
    refusals: Mutex<VecDeque<EngineError>>,
    /// Whether pulls, and starts, wait.
    held: [watch::Sender<bool>; 2],
    /// How many starts fail from now on.
    failing: AtomicUsize,
    /// Digest of every image, when it is not the usual one.
    digest: Mutex<Option<String>>,
    /// Whether it can be reached has changed.
    turned: watch::Sender<()>,
    hanging: watch::Sender<bool>,
    /// How often it was asked for or whether it answers.
    asked: AtomicUsize,
}

impl FakeEngine {
    /// How many containers were started.
    #[must_use]
    pub fn started(&self) -> usize {
        self.state.started.load(Ordering::SeqCst)
    }

    /// How many are not removed yet.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.state.alive.load(Ordering::SeqCst)
    }

    /// Ends every container as if somebody had killed it.
    pub fn kill_all(&self) {
        self.state.killed.notify_waiters();
    }

    /// From now on the engine does not answer, for this reason; `None` brings it back.
    pub fn set_unreachable(&self, reason: Option<&str>) {
        *self.state.unreachable.lock().unwrap_or_else(PoisonError::into_inner) = reason.map(str::to_owned);
        self.state.turned.send_replace(());
    }

    /// From now on it says nothing when it is asked whether it answers, until it is told to.
    pub fn hang(&self, hang: bool) {
        self.state.hanging.send_replace(hang);
    }

    /// How often it was asked for, or whether it answers.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// From now on receipts name this control as missing.
    pub fn set_lacking(&self, control: &str) {
        self.state.lacking.lock().unwrap_or_else(PoisonError::into_inner).push(control.to_owned());
    }

    /// An image that is missing until it is pulled.
    pub fn set_missing(&self, image: &str) {
        self.state.missing.lock().unwrap_or_else(PoisonError::into_inner).push(image.to_owned());
    }

    /// From now on pulls wait, until they are let go.
    pub fn hold_pulls(&self, hold: bool) {
        self.state.held[0].send_replace(hold);
    }

    /// From now on starts wait, until they are let go.
    pub fn hold_starts(&self, hold: bool) {
        self.state.held[1].send_replace(hold);
    }

    /// So many starts fail from now on, those that are held among them.
    pub fn fail_starts(&self, count: usize) {
        self.state.failing.store(count, Ordering::SeqCst);
    }

    /// From now on every image has this digest.
    pub fn set_digest(&self, digest: &str) {
        *self.state.digest.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest.to_owned());
    }

    /// The next pull fails so.
    pub fn refuse_pull(&self, error: EngineError) {
        self.state.refusals.lock().unwrap_or_else(PoisonError::into_inner).push_back(error);
    }

    /// How many pulls were begun.
    #[must_use]
    pub fn pulls(&self) -> usize {
        self.state.pulls.load(Ordering::SeqCst)
    }

    async fn pass(&self, gate: usize) {
        let _ = self.state.held[gate].subscribe().wait_for(|held| !held).await;
    }

    /// What was derived, in order.
    #[must_use]
    pub fn baked(&self) -> Vec<BakeSpec> {
        self.state.baked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_derived(&self, reference: &str) -> bool {
        self.baked().iter().any(|spec| spec.reference == reference)
    }

    fn is_missing(&self, image: &str) -> bool {
        let derived = image.starts_with(BAKED) && !self.has_derived(image);
        derived
            || self.state.missing.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|missing| missing == image)
    }

    fn answer(&self) -> Result<(), EngineError> {
        let unreachable = self.state.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        match unreachable.as_ref() {
            None => Ok(()),
            Some(reason) => {
                Err(EngineError::Unreachable { tried: format!("fake: {reason}"), advice: "start it".to_owned() })
            }
        }
    }
}

#[async_trait]
impl Engines for FakeEngine {
    async fn engine(&self, _wish: &EngineWish) -> Result<Arc<dyn Engine>, EngineError> {
        self.state.asked.fetch_add(1, Ordering::SeqCst);
        self.answer()?;
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.answer()?;
        let [name, version, endpoint, runtime] = ["fake", "1", "memory", "none"].map(str::to_owned);
        Ok(EngineInfo { name, version, endpoint, runtime })
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        self.answer()?;
        let digest = self.state.digest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let digest = digest.unwrap_or_else(|| "sha256:0".to_owned());
        let image = Image { reference: reference.to_owned(), digest, size: 1 };
        Ok((!self.is_missing(reference)).then_some(image))
    }

    async fn pull(&self, reference: &str, progress: mpsc::Sender<PullProgress>) -> Result<(), EngineError> {
        self.answer()?;
        self.state.pulls.fetch_add(1, Ordering::SeqCst);
        let half = PullProgress { done_bytes: 1, total_bytes: 2, done_layers: 0, total_layers: 1 };
        let _ = progress.send(half).await;
        self.pass(0).await;
        let refusal = self.state.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(error) = refusal {
            return Err(error);
        }
        self.state.missing.lock().unwrap_or_else(PoisonError::into_inner).retain(|missing| missing != reference);
        Ok(())
    }

    async fn bake(&self, spec: &BakeSpec) -> Result<(), EngineError> {
        self.answer()?;
        self.state.baked.lock().unwrap_or_else(PoisonError::into_inner).push(spec.clone());
        Ok(())
    }

    async fn start(&self, spec: &Spec) -> Result<Container, EngineError> {
        self.answer()?;
        if self.is_missing(&spec.image) {
            let [reason, advice] = ["it was taken away", "pull it"].map(str::to_owned);
            return Err(EngineError::ImageMissing { image: spec.image.clone(), reason, advice });
        }
        if let Isolation::Gvisor | Isolation::Kata = spec.sandbox.isolation {
            let [engine, isolation, advice] = ["fake", "such isolation", "set isolation = \"auto\""].map(str::to_owned);
            return Err(EngineError::IsolationMissing { engine, isolation, advice });
        }
        let number = self.state.started.fetch_add(1, Ordering::SeqCst);
        self.pass(1).await;
        let fails = |left: usize| left.checked_sub(1);
        if self.state.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            let [operation, reason] = ["start a container", "it was told to fail"].map(str::to_owned);
            return Err(EngineError::Failed { operation, reason });
        }
        self.state.alive.fetch_add(1, Ordering::SeqCst);
        let (stdin, inside) = tokio::io::duplex(64 * 1024);
        let (sender, output) = mpsc::channel(64);
        let (ended, exit) = watch::channel(None);
        let state = Arc::clone(&self.state);
        let actor = tokio::spawn(async move {
            let status = tokio::select! {
                played = Actor { stdin: inside, output: sender }.play() => played.unwrap_or(125),
                () = state.killed.notified() => 137,
            };
            let _ = ended.send(Some(status));
        });
        let handle = FakeHandle {
            name: format!("fake-{number}"),
            image: spec.image.clone(),
            actor: Mutex::new(Some(actor)),
            exit,
            state: Arc::clone(&self.state),
        };
        Ok(Container { stdin: Box::new(stdin), output, handle: Arc::new(handle) })
    }

    async fn lost(&self) -> String {
        let mut turned = self.state.turned.subscribe();
        while self.answer().is_ok() {
            let _ = turned.changed().await;
        }
        "fake is gone".to_owned()
    }

    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_millis(700))
    }

    async fn answers(&self, deadline: Duration) -> bool {
        self.state.asked.fetch_add(1, Ordering::SeqCst);
        let mut hanging = self.state.hanging.subscribe();
        tokio::time::timeout(deadline, hanging.wait_for(|hanging| !hanging)).await.is_ok() && self.answer().is_ok()
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        Ok(0)
    }
}

struct FakeHandle {
    name: String,
    image: String,
    actor: Mutex<Option<tokio::task::JoinHandle<()>>>,
    exit: watch::Receiver<Option<i32>>,
    state: Arc<State>,
}

impl FakeHandle {
    fn stop(&self) {
        if let Some(actor) = self.actor.lock().unwrap_or_else(PoisonError::into_inner).take() {
            actor.abort();
            self.state.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for FakeHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

#[async_trait]
impl Handle for FakeHandle {
    fn name(&self) -> &str {
        &self.name
    }

    async fn wait(&self) -> Result<Exit, EngineError> {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        Ok(Exit { status: status.unwrap_or(137), out_of_memory: false })
    }

    async fn remove(&self) -> Result<(), EngineError> {
        self.stop();
        Ok(())
    }

    async fn receipt(&self) -> Result<Receipt, EngineError> {
        let missing = self.state.lacking.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Receipt { engine: "fake".to_owned(), image: self.image.clone(), missing, ..Receipt::default() })
    }
}

/// Plays the script of one container.
struct Actor {
    stdin: DuplexStream,
    output: mpsc::Sender<Chunk>,
}

impl Actor {
    /// Takes the opening as the waiting side would, plays the steps, prints the trailer; gives the exit status.
    async fn play(mut self) -> std::io::Result<i32> {
        let mut line = String::new();
        loop {
            match self.stdin.read_u8().await? {
                b'\n' => break,
                byte => line.push(char::from(byte)),
            }
        }
        let mut script = vec![0; line.parse::<usize>().unwrap_or(0) * 512];
        self.stdin.read_exact(&mut script).await?;
        let script = String::from_utf8_lossy(&script).into_owned();
        let value = |name: &str| {
            let words = script.lines().next().unwrap_or_default().split(' ');
            words.filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let nonce = value("N").unwrap_or_default().to_owned();
        let records: usize = value("K").and_then(|records| records.parse().ok()).unwrap_or(0);
        let compiling = !script.contains("\nOUT=''\n");
        let mut length = records * 10_240;
        if records == 0 {
            // An interpreter that waits: its program comes later, announced by its lengths.
            self.say(Stream::Stderr, READY.to_vec()).await;
            let mut lengths = [0; 32];
            self.stdin.read_exact(&mut lengths).await?;
            let lengths = String::from_utf8_lossy(&lengths).into_owned();
            let mut lengths = lengths.split_whitespace().map(|length| length.parse().unwrap_or(0));
            let mut argv = vec![0; lengths.next().unwrap_or(0)];
            self.stdin.read_exact(&mut argv).await?;
            length = lengths.next().unwrap_or(0);
        }
        let mut tar = vec![0; length];
        self.stdin.read_exact(&mut tar).await?;
        let mut program = String::new();
        for entry in tar::Archive::new(tar.as_slice()).entries()? {
            std::io::Read::read_to_string(&mut entry?, &mut program)?;
        }
        let steps = program.lines().filter_map(|line| match line.strip_prefix("compile:") {
            Some(step) => compiling.then_some(step),
            None => (!compiling).then_some(line),
        });
        let mut ending = "done 0  B=0 C=1000000 M=1048576 O=0".to_owned();
        let mut steps: VecDeque<String> = steps.map(str::to_owned).collect();
        while let Some(step) = steps.pop_front() {
            match self.step(&step).await {
                None => {}
                Some(end) if end.is_empty() => return Ok(1),
                Some(end) => {
                    ending = end;
                    break;
                }
            }
        }
        if compiling && ending.starts_with("done 0 ") {
            self.say(Stream::Stdout, tar).await;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.say(stream, Trailer::print(&nonce, &ending)).await;
        }
        Ok(ending.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(125))
    }

    /// Plays one step; gives the trailer's text when it ends the program, an empty one when there is none.
    async fn step(&mut self, step: &str) -> Option<String> {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "out" => self.say(Stream::Stdout, format!("{rest}\n").into_bytes()).await,
            "err" => self.say(Stream::Stderr, format!("{rest}\n").into_bytes()).await,
            "raw" => self.say(Stream::Stdout, rest.as_bytes().to_vec()).await,
            "flood" => {
                let mut left: usize = rest.parse().unwrap_or(0);
                while left > 0 {
                    let piece = left.min(32 * 1024);
                    self.say(Stream::Stdout, b"0123456789abcde\n".repeat(piece.div_ceil(16))[..piece].to_vec()).await;
                    left -= piece;
                }
            }
            "sleep" => tokio::time::sleep(Duration::from_millis(rest.parse().unwrap_or(0))).await,
            "cat" | "read" => {
                let mut buffer = vec![0; 4096];
                while let Ok(length) = self.stdin.read(&mut buffer).await {
                    if length == 0 {
                        break;
                    }
                    self.say(Stream::Stdout, buffer[..length].to_vec()).await;
                    if verb == "read" {
                        break;
                    }
                }
            }
            "exit" => return Some(format!("done {rest}  B=0 C=1000000 M=1048576 O=0")),
            "signal" => return Some(format!("done {} signal B=0 C=1 M=1 O=0", 128 + rest.parse::<i32>().unwrap_or(0))),
            "oom" => return Some("done 137 signal B=0 C=1 M=1 O=1".to_owned()),
            "die" => return Some(String::new()),
            "hang" => std::future::pending().await,
            _ => {}
        }
        None
    }

    async fn say(&self, stream: Stream, bytes: Vec<u8>) {
        let _ = self.output.send(Chunk { stream, bytes: Bytes::from(bytes) }).await;
    }
}
