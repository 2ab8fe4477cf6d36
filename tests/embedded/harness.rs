//! Runs commands in sandboxes of the embedded engine and collects what comes of it.

use std::path::PathBuf;
use std::time::Duration;

use runpen::engine::embedded::EmbeddedEngine;
use runpen::engine::{Container, Engine, Exit, Spec, Usage};
use runpen::plan::{MIB, Sandbox};
use runpen::protocol::{Receipt, Stream};
use tokio::io::AsyncWriteExt;

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// An engine whose launcher is the real binary. It has to be there: a machine without it fails the test.
pub(crate) fn engine() -> EmbeddedEngine {
    engine_with(&[])
}

/// The same with toolchains that the user's settings list.
pub(crate) fn engine_with(toolchains: &[PathBuf]) -> EmbeddedEngine {
    // The suite runs copies of both binaries as another user, who may not see the build folder.
    let program = std::env::var_os("RUNPEN_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_runpen").into());
    EmbeddedEngine::with_launcher(&PathBuf::from(program), toolchains).unwrap()
}

/// The sandbox of a Python run.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(128 * MIB, 500)
}

/// Whether limits are held by cgroups here: always for root on a machine with cgroups.
pub(crate) fn in_cgroup(receipt: &Receipt) -> bool {
    receipt.controls["resources"].starts_with("cgroup")
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) exit: Exit,
    pub(crate) usage: Usage,
    pub(crate) receipt: Receipt,
}

impl Outcome {
    /// What it printed, when it ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.exit.status, self.stderr.as_str()), (0, ""), "it printed: {}", self.stdout);
        self.stdout
    }
}

pub(crate) async fn start(engine: &EmbeddedEngine, sandbox: Sandbox, command: &[&str]) -> Container {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    engine.start(&Spec { image: "tests".to_owned(), command, sandbox }).await.unwrap()
}

/// Runs a command with an input to its end. Output beyond some megabytes is thrown away, as a run would.
pub(crate) async fn run_with(engine: &EmbeddedEngine, sandbox: Sandbox, command: &[&str], input: &[u8]) -> Outcome {
    finish(start(engine, sandbox, command).await, input).await
}

/// Gives a container its input and collects what comes of it.
pub(crate) async fn finish(mut container: Container, input: &[u8]) -> Outcome {
    let input = input.to_owned();
    let mut stdin = container.stdin;
    let feed = tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
        let _ = stdin.shutdown().await;
    });
    let collected = tokio::time::timeout(DEADLINE, async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(chunk) = container.output.recv().await {
            assert!(chunk.bytes.len() <= 64 * 1024);
            let kept = if chunk.stream == Stream::Stdout { &mut stdout } else { &mut stderr };
            if kept.len() < 4 << 20 {
                kept.extend_from_slice(&chunk.bytes);
            }
        }
        let exit = container.handle.wait().await.unwrap();
        (stdout, stderr, exit)
    });
    let (stdout, stderr, exit) = collected.await.expect("it ends in time");
    feed.abort();
    let usage = container.handle.usage().await.unwrap();
    let receipt = container.handle.receipt().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { stdout: text(&stdout), stderr: text(&stderr), exit, usage, receipt }
}

/// The same without input.
pub(crate) async fn run(engine: &EmbeddedEngine, command: &[&str]) -> Outcome {
    run_with(engine, sandbox(), command, b"").await
}

/// Runs a Python program with an ordinary sandbox.
pub(crate) async fn python(engine: &EmbeddedEngine, program: &str) -> Outcome {
    run(engine, &["python3", "-c", program]).await
}

/// Runs a line of shell with an ordinary sandbox.
pub(crate) async fn shell(engine: &EmbeddedEngine, line: &str) -> Outcome {
    run(engine, &["/bin/sh", "-c", line]).await
}

/// Cgroups that a launcher has made and that are still there.
pub(crate) fn leftovers(launcher: i32) -> Vec<String> {
    let name = format!("runpen-{launcher}-");
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with(&name) {
                    found.push(entry.path().display().to_string());
                }
                folders.push(entry.path());
            }
        }
    }
    found
}
