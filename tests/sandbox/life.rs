//! Streams, ends, and that nothing is left on any path.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runpen::engine::docker::{DockerEngine, PATIENT};
use runpen::engine::owner::Owner;
use runpen::engine::{Engine, EngineError};
use tokio::io::AsyncWriteExt;

use crate::support::{ALPINE, Bench, NO_SHELL, docker, finish, first, read, sandbox, spec, until, within};

const CAT: &[&str] = &["/bin/sh", "-c", "echo up; cat; echo down"];

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn input_goes_in_output_comes_out_and_the_status_is_told() {
    let bench = Bench::new().await;
    let script = "cat; echo warned >&2; exit 7";
    let mut container = bench.start(ALPINE, &["/bin/sh", "-c", script], sandbox()).await;
    container.stdin.write_all("grüße\n".as_bytes()).await.unwrap();
    let ran = finish(container).await;
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("grüße\n", "warned\n"));
    assert_eq!((ran.exit.status, ran.exit.out_of_memory), (7, false));
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn dropping_the_input_is_its_end() {
    let bench = Bench::new().await;
    let mut container = bench.start(ALPINE, CAT, sandbox()).await;
    assert_eq!(first(&mut container).await, "up\n");
    drop(container.stdin);
    let (stdout, _) = within("the end of the output", read(&mut container.output)).await;
    assert_eq!(stdout, "down\n");
    container.handle.remove().await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn large_input_arrives_whole() {
    let bench = Bench::new().await;
    let mut container = bench.start(ALPINE, &["/bin/sh", "-c", "wc -c"], sandbox()).await;
    container.stdin.write_all(&vec![7; 8 << 20]).await.unwrap();
    let ran = finish(container).await;
    assert_eq!(ran.stdout.trim(), (8 << 20).to_string());
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn the_first_and_the_last_byte_are_not_lost() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        let script = "printf begin; dd if=/dev/zero bs=1000000 count=1 2>/dev/null; printf end";
        let ran = bench.run(ALPINE, &["/bin/sh", "-c", script], sandbox()).await;
        assert_eq!(ran.stdout.len(), 1_000_008);
        assert!(ran.stdout.starts_with("begin") && ran.stdout.ends_with("end"));
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn removing_kills_what_runs_and_may_be_asked_twice_at_once() {
    let bench = Bench::new().await;
    let mut container = bench.start(ALPINE, &["/bin/sh", "-c", "trap '' TERM; echo up; sleep 600"], sandbox()).await;
    assert_eq!(first(&mut container).await, "up\n");
    let begun = Instant::now();
    let (one, two) = tokio::join!(container.handle.remove(), container.handle.remove());
    one.unwrap();
    two.unwrap();
    assert_eq!(bench.left(), Vec::<String>::new(), "it must be gone when the call returns");
    assert!(begun.elapsed() < Duration::from_secs(8), "a signal was waited for");
    assert_eq!(within("its end", container.handle.wait()).await.unwrap().status, 137);
    assert_eq!(within("the end of its output", container.output.recv()).await, None);
    container.handle.remove().await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_container_removed_by_somebody_else_is_gone_for_us_too() {
    let bench = Bench::new().await;
    let mut container = bench.start(ALPINE, CAT, sandbox()).await;
    assert_eq!(first(&mut container).await, "up\n");
    docker(&["rm", "-f", container.handle.name()]);
    within("its end", container.handle.wait()).await.unwrap();
    container.handle.remove().await.unwrap();
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_survivor_of_a_double_fork_ends_with_the_main_program() {
    let bench = Bench::new().await;
    let script = "(setsid sh -c 'while :; do echo still; sleep 1; done' &) ; echo main";
    let ran = bench.run(ALPINE, &["/bin/sh", "-c", script], sandbox()).await;
    assert!(ran.stdout.contains("main\n"));
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_forgotten_container_is_removed() {
    let bench = Bench::new().await;
    let container = bench.start(ALPINE, CAT, sandbox()).await;
    assert_eq!(bench.left().len(), 1);
    drop(container);
    bench.empty().await;
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_start_given_up_on_leaves_nothing_at_whatever_moment() {
    let bench = Bench::new().await;
    for milliseconds in [0, 1, 3, 10, 20, 40, 80, 150, 250] {
        let spec = spec(ALPINE, CAT, sandbox());
        let start = bench.engine.start(&spec);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), start).await;
    }
    // Creation may still be under way: it is over when the engine has answered another one.
    bench.run(ALPINE, &["/bin/sh", "-c", "true"], sandbox()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    bench.empty().await;
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn names_do_not_repeat() {
    let bench = Bench::new().await;
    let (one, two) = (bench.start(ALPINE, CAT, sandbox()).await, bench.start(ALPINE, CAT, sandbox()).await);
    assert_ne!(one.handle.name(), two.handle.name());
    finish(one).await;
    finish(two).await;
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn an_image_that_is_not_there_is_said_in_one_line() {
    let bench = Bench::new().await;
    let missing = "runpen-test/not-there:1";
    assert_eq!(bench.engine.image(missing).await.unwrap(), None);
    let Err(error) = bench.engine.start(&spec(missing, CAT, sandbox())).await else { panic!("it started") };
    assert!(matches!(error, EngineError::ImageMissing { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(missing) && !text.contains('\n'), "{text}");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_registry_that_is_not_there_is_said_in_one_line() {
    let bench = Bench::new().await;
    // A port of the loopback device where nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let reference = format!("127.0.0.1:{port}/nothing:1");
    let (sender, _progress) = tokio::sync::mpsc::channel(8);
    let error = within("the refusal", bench.engine.pull(&reference, sender)).await.unwrap_err();
    assert!(matches!(error, EngineError::ImageMissing { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&reference) && text.contains("refused") && !text.contains('\n'), "{text}");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_pull_tells_of_bytes_and_layers_and_brings_the_digest() {
    let bench = Bench::new().await;
    let registry = std::env::var("RUNPEN_TEST_REGISTRY").unwrap_or_else(|_| "127.0.0.1:5055".to_owned());
    let reference = format!("{registry}/runpen/alpine:3.23");
    if bench.engine.image(&reference).await.unwrap().is_some() {
        docker(&["rmi", &reference]);
    }
    let (sender, mut progress) = tokio::sync::mpsc::channel(1024);
    within("the pull", bench.engine.pull(&reference, sender)).await.unwrap();
    let mut steps = Vec::new();
    while let Some(step) = progress.recv().await {
        steps.push(step);
    }
    let last = steps.last().expect("progress");
    assert!(last.total_layers > 0 && last.done_layers == last.total_layers, "{last:?}");
    assert!(steps.iter().all(|step| step.done_bytes <= step.total_bytes));
    let image = bench.engine.image(&reference).await.unwrap().unwrap();
    let digests = docker(&["inspect", "--format", "{{join .RepoDigests \" \"}}", &reference]);
    assert!(digests.contains(&format!("{registry}/runpen/alpine@{}", image.digest)), "{digests}");
    let ran = bench.run(&reference, &["/bin/sh", "-c", "echo pulled"], sandbox()).await;
    assert_eq!((ran.stdout.as_str(), ran.receipt.digest), ("pulled\n", Some(image.digest)));
    docker(&["rmi", &reference]);

    let (sender, _progress) = tokio::sync::mpsc::channel(8);
    let missing = format!("{registry}/runpen/alpine:no-such-tag");
    let error = within("the refusal", bench.engine.pull(&missing, sender)).await.unwrap_err();
    assert!(matches!(error, EngineError::ImageMissing { .. }), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn an_image_without_a_shell_is_said_clearly_and_leaves_nothing() {
    let bench = Bench::new().await;
    let Err(error) = bench.engine.start(&spec(NO_SHELL, CAT, sandbox())).await else { panic!("it started") };
    assert!(matches!(error, EngineError::ImageUnusable { .. }), "{error}");
    assert!(error.to_string().contains("it has no /bin/sh"), "{error}");
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_sweep_takes_what_the_dead_left_and_nothing_else() {
    let bench = Bench::new().await;
    let second = Arc::new(Owner::claim_in(bench.folder.path()).unwrap());
    let other = DockerEngine::connect(Arc::clone(&second), PATIENT).await.unwrap();
    let living = other.start(&spec(ALPINE, CAT, sandbox())).await.unwrap();
    let own = bench.start(ALPINE, CAT, sandbox()).await;

    // A server that was killed: its containers and its lock file are there, the lock is not.
    let dead = "00000000deadbeef";
    std::fs::write(bench.folder.path().join(format!("{dead}.lock")), format!("{}\n", bench.engine.endpoint())).unwrap();
    let label = format!("dev.runpen.owner={dead}");
    let make = |name: &str, label: &str| {
        // Podman's own limits are higher than this machine may allow it.
        let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
        let begin = ["run", "-d", "--network", "none", "--name", name, "--label", label];
        docker(&[&begin[..], &limits, &[ALPINE, "sleep", "600"]].concat());
    };
    make("runpen-00000000-7", &label);
    // Made by hand from an image with such a label; and one of a server on another machine.
    let by_hand = format!("by-hand-{}", bench.owner.id());
    make(&by_hand, &label);
    let elsewhere = format!("runpen-{}", bench.owner.id());
    make(&elsewhere, "dev.runpen.owner=1111111111111111");

    assert_eq!(bench.engine.sweep().await.unwrap(), 1);
    assert_eq!(bench.engine.sweep().await.unwrap(), 0);
    let names = docker(&["ps", "-a", "--format", "{{.Names}}"]);
    let left: Vec<_> = names.lines().collect();
    assert!(!left.contains(&"runpen-00000000-7"));
    for name in [by_hand.as_str(), elsewhere.as_str(), living.handle.name(), own.handle.name()] {
        assert!(left.contains(&name), "{name} of {left:?}");
    }
    assert!(!bench.folder.path().join(format!("{dead}.lock")).exists());
    docker(&["rm", "-f", &by_hand, &elsewhere]);
    finish(living).await;
    finish(own).await;
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn an_owner_that_died_is_swept_by_the_next() {
    let bench = Bench::new().await;
    let name = {
        let owner = Arc::new(Owner::claim_in(bench.folder.path()).unwrap());
        let engine = DockerEngine::connect(Arc::clone(&owner), PATIENT).await.unwrap();
        let container = engine.start(&spec(ALPINE, CAT, sandbox())).await.unwrap();
        let name = container.handle.name().to_owned();
        let lock = bench.folder.path().join(format!("{}.lock", owner.id()));
        let text = std::fs::read_to_string(&lock).unwrap();
        // SIGKILL: nothing of ours runs again, and the kernel drops the lock.
        std::mem::forget((container, engine));
        std::fs::remove_file(&lock).unwrap();
        std::fs::write(&lock, text).unwrap();
        name
    };
    until("the container is there", || docker(&["ps", "-a", "--format", "{{.Names}}"]).contains(&name)).await;
    assert_eq!(bench.engine.sweep().await.unwrap(), 1);
    assert!(!docker(&["ps", "-a", "--format", "{{.Names}}"]).contains(&name));
}
