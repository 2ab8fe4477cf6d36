//! What the attack suite of `tests/sandbox` needs of an engine, here of the embedded one: its files are part of both test
//! binaries, as they are.

use runpen::engine::Container;
use runpen::engine::embedded::EmbeddedEngine;
use runpen::plan::Sandbox;

use crate::harness::{DEADLINE, engine, finish, start};
pub(crate) use crate::harness::{Outcome, sandbox};
pub(crate) use crate::kind::{Kind, gives};

/// What is attacked here.
pub(crate) fn usual_kind() -> &'static str {
    if rustix::process::getuid().is_root() { "embedded" } else { "embedded-user" }
}

/// Images are of no account here: this machine's own programs stand in for them.
pub(crate) const PYTHON: &str = "python";
pub(crate) const ALPINE: &str = "alpine";

pub(crate) struct Bench {
    pub(crate) engine: EmbeddedEngine,
}

impl Bench {
    #[expect(clippy::unused_async, reason = "the other one asks a daemon")]
    pub(crate) async fn new() -> Self {
        Self { engine: engine() }
    }

    pub(crate) async fn start(&self, _: &str, command: &[&str], sandbox: Sandbox) -> Container {
        start(&self.engine, sandbox, command).await
    }

    pub(crate) async fn run(&self, image: &str, command: &[&str], sandbox: Sandbox) -> Outcome {
        finish(self.start(image, command, sandbox).await, b"").await
    }

    /// Whether the engine gives a control. One that it does not give must be named in the receipt.
    pub(crate) async fn bounds(&self, control: &str) -> bool {
        if !gives(control) {
            let ran = self.run(ALPINE, &["/bin/sh", "-c", "true"], sandbox()).await;
            assert!(ran.receipt.lacks(control), "{control} is lacking and not named: {:?}", ran.receipt.missing);
        }
        gives(control)
    }

    /// Runs a section of the probe program and gives what it saw.
    pub(crate) async fn probe(&self, section: &str, argument: &str, sandbox: Sandbox) -> (serde_json::Value, Outcome) {
        let ran = self.run(PYTHON, &probe(section, argument), sandbox).await;
        let seen = serde_json::from_str(ran.stdout.lines().last().unwrap_or_default());
        (seen.unwrap_or_else(|error| panic!("{section}: {error}\n{ran:?}")), ran)
    }
}

/// The command that runs a section of the probe program.
pub(crate) fn probe<'a>(section: &'a str, argument: &'a str) -> [&'a str; 6] {
    ["/usr/bin/python3", "-I", "-c", include_str!("../sandbox/probe.py"), section, argument]
}

/// It stands behind nothing else.
pub(crate) fn isolated(sandbox: Sandbox) -> Sandbox {
    sandbox
}

/// The first chunk a container prints.
pub(crate) async fn first(container: &mut Container) -> String {
    let chunk = within("the first output", container.output.recv()).await.expect("output");
    String::from_utf8_lossy(&chunk.bytes).into_owned()
}

/// A future that must not hang.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not come within {DEADLINE:?}"))
}
