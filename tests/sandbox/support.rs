//! An engine for one test, whose end fails when the test left anything behind.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runpen::config::Isolation;
use runpen::engine::docker::{DockerEngine, OWNER_LABEL, PATIENT};
use runpen::engine::owner::Owner;
use runpen::engine::{Chunk, Container, Engine, Exit, Spec};
use runpen::plan::{MIB, Sandbox};
use runpen::protocol::{Receipt, Stream};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

pub(crate) use crate::kind::{Kind, gives};

/// What is attacked where nothing else is said.
pub(crate) fn usual_kind() -> &'static str {
    "docker"
}

/// Python, for the probe program.
pub(crate) const PYTHON: &str = "runpen-test/python:3.13";
/// A real Alpine: musl and `BusyBox`.
pub(crate) const ALPINE: &str = "runpen-test/alpine:3.23";
/// An image with no shell in it.
pub(crate) const NO_SHELL: &str = "runpen-test/no-shell:1";

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine with an owner of its own.
pub(crate) struct Bench {
    pub(crate) engine: DockerEngine,
    pub(crate) owner: Arc<Owner>,
    pub(crate) folder: tempfile::TempDir,
}

/// What a container did.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Exit,
    pub(crate) receipt: Receipt,
}

impl Bench {
    /// Fails without an engine: these tests are asked for by name.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = Arc::new(Owner::claim_in(folder.path()).unwrap());
        let engine =
            DockerEngine::connect(Arc::clone(&owner), PATIENT).await.expect("the sandbox tests need an engine");
        Self { engine, owner, folder }
    }

    /// Starts a container.
    pub(crate) async fn start(&self, image: &str, command: &[&str], sandbox: Sandbox) -> Container {
        self.engine.start(&spec(image, command, sandbox)).await.unwrap()
    }

    /// Runs a container to its end.
    pub(crate) async fn run(&self, image: &str, command: &[&str], sandbox: Sandbox) -> Ran {
        finish(self.start(image, command, sandbox).await).await
    }

    /// Whether the engine gives a control. One that it does not give must be named in the receipt, and then the attack is
    /// not made: nothing would stop it.
    pub(crate) async fn bounds(&self, control: &str) -> bool {
        if !gives(control) {
            let ran = self.run(ALPINE, &["/bin/sh", "-c", "true"], sandbox()).await;
            assert!(ran.receipt.lacks(control), "{control} is lacking and not named: {:?}", ran.receipt.missing);
        }
        gives(control)
    }

    /// Runs a section of the probe program and gives what it saw.
    pub(crate) async fn probe(&self, section: &str, argument: &str, sandbox: Sandbox) -> (serde_json::Value, Ran) {
        let ran = self.run(PYTHON, &probe(section, argument), sandbox).await;
        let seen = ran.stdout.lines().last().unwrap_or_default();
        let seen = serde_json::from_str(seen)
            .unwrap_or_else(|error| panic!("{section}: {error}\n{}\n{}{:?}", ran.stdout, ran.stderr, ran.exit));
        (seen, ran)
    }

    /// Containers of this owner that the engine still has.
    pub(crate) fn left(&self) -> Vec<String> {
        let filter = format!("label={OWNER_LABEL}={}", self.owner.id());
        let names = docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
        // Docker 20.10 may go on listing one that it has removed, without a name, and knows nothing of it when asked.
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// Waits until nothing of this owner is left.
    pub(crate) async fn empty(&self) {
        until("no container is left", || self.left().is_empty()).await;
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let left = self.left();
        if std::thread::panicking() {
            // Its runtime ends before anything is removed.
            for name in &left {
                docker(&["rm", "-f", "-v", name]);
            }
        } else {
            assert_eq!(left, Vec::<String>::new(), "the test left containers behind");
        }
    }
}

/// The command that runs a section of the probe program.
pub(crate) fn probe<'a>(section: &'a str, argument: &'a str) -> [&'a str; 6] {
    ["python3", "-I", "-c", include_str!("probe.py"), section, argument]
}

/// A sandbox as a Python program gets it.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(128 * MIB, 2000)
}

/// The same, behind gVisor where that is what is tested.
pub(crate) fn isolated(mut sandbox: Sandbox) -> Sandbox {
    if Kind::get() == Kind::Gvisor {
        sandbox.isolation = Isolation::Gvisor;
    }
    sandbox
}

pub(crate) fn spec(image: &str, command: &[&str], sandbox: Sandbox) -> Spec {
    let sandbox = isolated(sandbox);
    Spec { image: image.to_owned(), command: command.iter().map(|word| (*word).to_owned()).collect(), sandbox }
}

/// Closes its input, reads it to its end, and removes it.
pub(crate) async fn finish(mut container: Container) -> Ran {
    within("the end of a container", async {
        container.stdin.shutdown().await.unwrap();
        let (stdout, stderr) = read(&mut container.output).await;
        let exit = container.handle.wait().await.unwrap();
        let receipt = container.handle.receipt().await.unwrap();
        container.handle.remove().await.unwrap();
        Ran { stdout, stderr, exit, receipt }
    })
    .await
}

/// Everything a container prints.
pub(crate) async fn read(output: &mut mpsc::Receiver<Chunk>) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(chunk) = output.recv().await {
        match chunk.stream {
            Stream::Stdout => stdout.extend_from_slice(&chunk.bytes),
            Stream::Stderr => stderr.extend_from_slice(&chunk.bytes),
        }
    }
    (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

/// The first chunk a container prints.
pub(crate) async fn first(container: &mut Container) -> String {
    let chunk = within("the first output", container.output.recv()).await.expect("output");
    String::from_utf8_lossy(&chunk.bytes).into_owned()
}

/// A future that must not hang.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else {
        panic!("{what} did not come within {PATIENCE:?}");
    };
    value
}

/// Waits for something that only asking can tell.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs the `docker` command, which knows nothing of our code.
pub(crate) fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments), "")
}

/// Whether the engine under test is another than this machine's own.
pub(crate) fn elsewhere() -> bool {
    std::env::var_os("DOCKER_HOST").is_some()
}

/// Runs it at this machine's own engine: not every engine makes images in every way.
pub(crate) fn at_home(arguments: &[&str]) -> String {
    at_home_with(arguments, "")
}

/// The same with standard input.
pub(crate) fn at_home_with(arguments: &[&str], input: &str) -> String {
    run(Command::new("docker").args(arguments).env_remove("DOCKER_HOST"), input)
}

/// Brings an image that was made at home to the engine under test.
pub(crate) fn carry(image: &str) {
    if elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image.tar");
        let file = file.to_str().unwrap();
        at_home(&["save", "-o", file, image]);
        docker(&["load", "-i", file]);
    }
}

fn run(command: &mut Command, input: &str) -> String {
    use std::io::Write;
    let shown = format!("{command:?}");
    let mut child = command
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the docker command");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}: {stdout}{stderr}");
    stdout.into_owned()
}

/// What `docker inspect` says of a container.
pub(crate) fn inspect(name: &str) -> serde_json::Value {
    let text = docker(&["inspect", name]);
    serde_json::from_str::<serde_json::Value>(&text).unwrap()[0].clone()
}
