//! An engine that goes away in the middle, seen through a socket of ours in front of the real one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use runpen::config::EngineChoice;
use runpen::engine::docker::{DockerEngine, PATIENT, Place};
use runpen::engine::select::{Selector, no_embedded};
use runpen::engine::{Engine, Engines};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::support::{ALPINE, Bench, docker, first, sandbox, spec, until, within};

/// A socket that passes everything on to the engine, until it is cut.
struct Wire {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    fn lay(bench: &Bench) -> Self {
        let engine = PathBuf::from(bench.engine.endpoint().strip_prefix("unix://").expect("a local engine"));
        let path = bench.folder.path().join("wire.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let task = tokio::spawn(async move {
            // Dropped with the task, and all connections with it.
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let engine = engine.clone();
                connections.spawn(async move {
                    if let Ok(mut far) = UnixStream::connect(engine).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { path, task }
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    async fn cut(self) {
        self.task.abort();
        let _ = self.task.await;
        std::fs::remove_file(&self.path).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn an_engine_that_goes_away_in_the_middle_hangs_nothing() {
    let bench = Bench::new().await;
    let wire = Wire::lay(&bench);
    let (engine, _) =
        DockerEngine::connect_to(&[Place::new(wire.endpoint(), "a test")], Arc::clone(&bench.owner), PATIENT).await;
    let engine = engine.unwrap();
    let mut container = engine.start(&spec(ALPINE, &["/bin/sh", "-c", "echo up; sleep 600"], sandbox())).await.unwrap();
    assert_eq!(first(&mut container).await, "up\n");
    wire.cut().await;
    assert_eq!(within("the end of its output", container.output.recv()).await, None);
    let error = within("its end", container.handle.wait()).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to wait for container") && !error.contains('\n'), "{error}");
    let error = within("its removal", container.handle.remove()).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to remove container") && !error.contains('\n'), "{error}");
    let error = within("an answer", engine.info()).await.unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    docker(&["rm", "-f", container.handle.name()]);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn what_waits_for_its_input_ends_when_the_server_is_gone() {
    let bench = Bench::new().await;
    let wire = Wire::lay(&bench);
    let (engine, _) =
        DockerEngine::connect_to(&[Place::new(wire.endpoint(), "a test")], Arc::clone(&bench.owner), PATIENT).await;
    let command = ["/bin/sh", "-c", "echo up; read -r line"];
    let mut container = engine.unwrap().start(&spec(ALPINE, &command, sandbox())).await.unwrap();
    assert_eq!(first(&mut container).await, "up\n");
    // What SIGKILL does: every connection of ours is closed at once.
    wire.cut().await;
    let name = container.handle.name().to_owned();
    until("it ended by itself", || docker(&["inspect", "--format", "{{.State.Running}}", &name]).trim() == "false")
        .await;
    docker(&["rm", "-f", &name]);
}

/// One that nobody named is asked for a moment only, and a loaded Podman takes longer: then it is asked again.
async fn found(selector: &Selector) -> Arc<dyn Engine> {
    let ask = async {
        loop {
            match selector.engine(&EngineChoice::Auto.into()).await {
                Ok(engine) => return engine,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    within("an engine that answers in time", ask).await
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn an_engine_that_comes_back_is_found_again() {
    let bench = Bench::new().await;
    let wire = Wire::lay(&bench);
    let selector = Selector::new(Arc::clone(&bench.owner), no_embedded).at(vec![wire.endpoint()]);
    found(&selector).await;
    wire.cut().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let Err(error) = selector.engine(&EngineChoice::Auto.into()).await else { panic!("an engine that is cut") };
    assert!(error.to_string().contains("wire.sock (no such socket)"), "{error}");
    let wire = Wire::lay(&bench);
    let engine = found(&selector).await;
    assert_eq!(engine.info().await.unwrap().endpoint, wire.endpoint());
    wire.cut().await;
}
