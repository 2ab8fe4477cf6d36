//! The server's side: starts the launcher, orders sandboxes, answers for the engine.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};

use super::handle::{self, Sandbox, State, Stdin, failed, hear};
use super::policy::Policy;
use super::toolchain::{Found, Search};
use super::wire::{Facts, Failure, Held, Order, Said, receive, send};
use super::{advice, cgroup, launcher};
use crate::config::Isolation;
use crate::engine::{BakeSpec, Container, Engine, EngineError, EngineInfo, Image, PullProgress, Spec};
use crate::plan::MIB;

/// For how long the first sandbox may take: it is a few milliseconds, and a machine can be busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest version that is shown.
const LONGEST_VERSION: usize = 100;

/// Linux namespaces, no daemon.
#[derive(Clone)]
pub struct EmbeddedEngine {
    program: PathBuf,
    launcher: Arc<Mutex<Option<Arc<Launcher>>>>,
    toolchains: Arc<Toolchains>,
}

/// The launcher, as the server holds it: when the socket closes, it ends, and everything it made.
struct Launcher {
    process: Mutex<Child>,
    socket: OwnedFd,
}

/// What each toolchain says it is.
type Versions = BTreeMap<PathBuf, String>;

/// Versions of the toolchains, asked once.
pub(super) struct Toolchains {
    /// What does the work: the kernel.
    pub(super) kernel: String,
    /// Folders that the user's settings list.
    listed: Vec<PathBuf>,
    versions: Arc<tokio::sync::Mutex<Versions>>,
}

impl EmbeddedEngine {
    /// The engine, or why this machine cannot have it. It has made a first sandbox to see.
    ///
    /// The running program must call [`super::enter`] first thing in its `main`. `toolchains` are folders outside `/usr` that
    /// the user's own settings list.
    pub fn new(toolchains: &[PathBuf]) -> Result<Self, EngineError> {
        Self::with_launcher(Path::new("/proc/self/exe"), toolchains)
    }

    /// The same with another program that calls [`super::enter`], for one that does not.
    pub fn with_launcher(program: &Path, toolchains: &[PathBuf]) -> Result<Self, EngineError> {
        if !super::filter::supported() {
            return Err(EngineError::Unreachable {
                tried: format!("embedded (no system call filter for {})", std::env::consts::ARCH),
                advice: "use Docker or Podman".to_owned(),
            });
        }
        let kernel = rustix::system::uname();
        let kernel = format!("Linux {}", kernel.release().to_string_lossy());
        let engine = Self {
            program: program.to_owned(),
            launcher: Arc::default(),
            toolchains: Arc::new(Toolchains { kernel, listed: toolchains.to_owned(), versions: Arc::default() }),
        };
        engine.try_out()?;
        Ok(engine)
    }

    /// Makes a sandbox that does nothing, and sees whether the kernel lets us.
    fn try_out(&self) -> Result<(), EngineError> {
        let policy = Policy::of(&crate::plan::Sandbox::new(64 * MIB, 1000));
        let order = Order {
            command: vec!["/bin/sh".to_owned(), "-c".to_owned(), ":".to_owned()],
            env: env(Search::new(&[]).path),
            policy,
        };
        let failed = |error: &io::Error| failed(&Failure::new("start the sandbox launcher", error));
        let socket = (|| -> io::Result<OwnedFd> {
            let (ours, theirs) = packets()?;
            let (stdin, _) = io::pipe()?;
            let (_, stdout) = io::pipe()?;
            let stderr = stdout.try_clone()?;
            let launcher = self.launcher()?;
            send(launcher.socket.as_fd(), &order, &[theirs.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
            rustix::net::sockopt::set_socket_timeout(&ours, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))?;
            Ok(ours)
        })();
        let socket = socket.map_err(|error| failed(&error))?;
        let mut failure = None;
        loop {
            match receive::<Said>(&socket).map_err(|error| failed(&error))? {
                Some((Said::Failed(why), _)) => failure = Some(why),
                Some((Said::Ended(_), _)) => break,
                Some(_) => {}
                None => return Err(failed(&io::Error::other("it ended; does this program call embedded::enter?"))),
            }
        }
        failure.map_or(Ok(()), |failure| Err(advice::unusable(&failure, advice::Switches::read())))
    }

    /// The launcher that lives, or a new one.
    fn launcher(&self) -> io::Result<Arc<Launcher>> {
        let mut kept = self.launcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(launcher) = kept.as_ref().filter(|launcher| launcher.lives()) {
            return Ok(Arc::clone(launcher));
        }
        let launcher = Arc::new(Launcher::start(&self.program)?);
        *kept = Some(Arc::clone(&launcher));
        Ok(launcher)
    }

    async fn start_one(
        &self,
        image: &str,
        command: Vec<String>,
        policy: Policy,
        search: Search,
    ) -> Result<Container, EngineError> {
        let policy = Policy { toolchains: search.folders, ..policy };
        let order = Order { command, env: env(search.path), policy };
        let ordered = |error: &io::Error| failed(&Failure::new("start a sandbox", error));
        let (socket, stdin, output) = self.order(&order).map_err(|error| ordered(&error))?;
        let (held, facts) = begun(&socket).await.map_err(|error| ordered(&error))??;
        let socket = Arc::new(socket);
        let (say, state) = watch::channel(State::Alive);
        tokio::spawn(handle::follow(Arc::clone(&socket), say));
        let toolchains = Arc::clone(&self.toolchains);
        let sandbox = Sandbox { image: image.to_owned(), policy: order.policy, held, facts, socket, state, toolchains };
        Ok(Container { stdin: Box::new(stdin), output, handle: Arc::new(sandbox) })
    }

    fn order(&self, order: &Order) -> io::Result<(UnixDatagram, Stdin, mpsc::Receiver<crate::engine::Chunk>)> {
        let (ours, theirs) = packets()?;
        let (stdin, feed) = io::pipe()?;
        let (out, stdout) = io::pipe()?;
        let (err, stderr) = io::pipe()?;
        send(self.launcher()?.socket.as_fd(), order, &[theirs.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        let socket = handle::asynchronous(ours)?;
        let stdin = Stdin(Some(pipe::Sender::from_owned_fd(feed.into())?));
        Ok((socket, stdin, handle::pump(out.into(), err.into())?))
    }

    /// The version of the toolchain that stands in for an image, asked in a sandbox, like everything of a program's.
    async fn learn(&self, found: &Found, search: Search) -> Result<(), EngineError> {
        let mut versions = self.toolchains.versions.lock().await;
        self.learn_into(&mut versions, found, search).await
    }

    /// Learns it beside a run, whose receipt waits for it.
    fn learn_meanwhile(&self, found: Found, search: &Search) {
        let Ok(mut versions) = Arc::clone(&self.toolchains.versions).try_lock_owned() else { return };
        if !versions.contains_key(&found.program) {
            let (engine, search) = (self.clone(), search.clone());
            tokio::spawn(async move {
                if let Err(error) = engine.learn_into(&mut versions, &found, search).await {
                    tracing::warn!(%error, program = %found.program.display(), "its version is not known");
                }
            });
        }
    }

    async fn learn_into(&self, versions: &mut Versions, found: &Found, search: Search) -> Result<(), EngineError> {
        if versions.contains_key(&found.program) {
            return Ok(());
        }
        let program = found.program.display().to_string();
        let mut version = String::new();
        if let Some(argument) = found.version {
            let policy = Policy {
                memory: 512 * MIB,
                nofile: 256,
                cpu_quota_us: 200_000,
                ..Policy::of(&crate::plan::Sandbox::new(256 * MIB, 1000))
            };
            let command = vec![program.clone(), argument.to_owned()];
            let mut container = self.start_one("", command, policy, search).await?;
            drop(container.stdin);
            let mut text = Vec::new();
            let all = async {
                while let Some(chunk) = container.output.recv().await {
                    text.extend_from_slice(&chunk.bytes);
                }
            };
            let _ = tokio::time::timeout(PATIENCE, all).await;
            container.handle.remove().await?;
            version = String::from_utf8_lossy(&text)
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(LONGEST_VERSION)
                .collect();
        }
        let name = if version.is_empty() { program } else { format!("{program} ({version})") };
        versions.insert(found.program.clone(), name);
        Ok(())
    }
}

impl Toolchains {
    fn search(&self) -> Search {
        Search::new(&self.listed)
    }

    /// What stands in for an image, for people.
    pub(super) async fn name(&self, image: &str) -> String {
        let Ok(Some(found)) = self.search().find(image) else { return "this machine's programs".to_owned() };
        let versions = self.versions.lock().await;
        versions.get(&found.program).cloned().unwrap_or_else(|| found.program.display().to_string())
    }
}

impl Launcher {
    fn start(program: &Path) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let (ours, theirs) = packets()?;
        let process = Command::new(program)
            .arg0(launcher::NAME)
            .arg(launcher::ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { process: Mutex::new(process), socket: ours })
    }

    fn lives(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(process.try_wait(), Ok(None))
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // It ends when nobody can order any more; waiting for it leaves no zombie.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ = self.process.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

fn packets() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// All of a sandbox's environment: nothing of the host's.
fn env(path: String) -> Vec<(String, String)> {
    [("PATH", path), ("HOME", "/tmp".to_owned()), ("LANG", "C.UTF-8".to_owned())]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// Waits until the command is about to begin.
async fn begun(socket: &UnixDatagram) -> io::Result<Result<(Held, Facts), EngineError>> {
    let mut held = Held::default();
    loop {
        match hear(socket).await? {
            Some(Said::Held(by)) => held = by,
            Some(Said::Ready(facts)) => return Ok(Ok((held, facts))),
            Some(Said::Failed(failure)) => return Ok(Err(failed(&failure))),
            Some(Said::Ended(_)) => return Err(io::Error::other("it ended before its command began")),
            None => return Err(io::Error::other("the launcher is gone")),
        }
    }
}

#[async_trait]
impl Engine for EmbeddedEngine {
    fn name(&self) -> &'static str {
        super::ENGINE
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.launcher().map_err(|error| failed(&Failure::new("start the sandbox launcher", &error)))?;
        Ok(EngineInfo {
            name: super::ENGINE.to_owned(),
            version: self.toolchains.kernel.clone(),
            endpoint: "this machine".to_owned(),
            runtime: "namespaces".to_owned(),
        })
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        let search = self.toolchains.search();
        let found = match search.find(reference) {
            Ok(found) => found,
            Err(EngineError::ToolchainMissing { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        if let Some(found) = &found {
            self.learn(found, search).await?;
        }
        let digest = self.toolchains.name(reference).await;
        Ok(Some(Image { reference: reference.to_owned(), digest, size: 0 }))
    }

    async fn pull(&self, reference: &str, _: mpsc::Sender<PullProgress>) -> Result<(), EngineError> {
        self.toolchains.search().find(reference).map(|_| ())
    }

    async fn bake(&self, spec: &BakeSpec) -> Result<(), EngineError> {
        Err(EngineError::Failed {
            operation: format!("derive {} from {}", spec.reference, spec.base),
            reason: "the embedded engine has no images".to_owned(),
        })
    }

    async fn start(&self, spec: &Spec) -> Result<Container, EngineError> {
        if let Isolation::Gvisor | Isolation::Kata = spec.sandbox.isolation {
            let engine = "the embedded engine".to_owned();
            let isolation = "runtimes beside its own, neither gVisor nor Kata".to_owned();
            let advice = "use Docker with that runtime, or set isolation = \"auto\"".to_owned();
            return Err(EngineError::IsolationMissing { engine, isolation, advice });
        }
        let search = self.toolchains.search();
        if let Some(found) = search.find(&spec.image)? {
            self.learn_meanwhile(found, &search);
        }
        self.start_one(&spec.image, spec.command.clone(), Policy::of(&spec.sandbox), search).await
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        // Without a place for cgroups there is nothing that could be left: all else goes with its processes.
        Ok(cgroup::Place::find().map_or(0, |place| cgroup::sweep(&place)))
    }
}
