//! The life of a sandbox: its streams, its end, and that nothing of it is left, whoever dies first.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use runpen::engine::{Engine, EngineError, Spec};
use tokio::io::AsyncWriteExt;

use crate::harness::{DEADLINE, engine, leftovers, run, run_with, sandbox, shell, start};

/// A command whose argument nobody else uses, so it can be found among the host's processes.
fn sleeper() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{:03}", 100_000 + std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Processes of the host with this word in their command lines.
fn processes_with(word: &str) -> Vec<std::path::PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
    let has = |line: Vec<u8>| line.split(|&byte| byte == 0).any(|argument| argument == word.as_bytes());
    processes.filter(|process| fs::read(process.join("cmdline")).is_ok_and(has)).collect()
}

fn runs(word: &str) -> bool {
    !processes_with(word).is_empty()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_command_has_its_three_streams() {
    let outcome = run_with(&engine(), sandbox(), &["sh", "-c", "cat; echo err >&2; exit 3"], b"in").await;
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str(), outcome.exit.status), ("in", "err\n", 3));
    assert!(!outcome.exit.out_of_memory);
    assert!(outcome.usage.cpu_ms.is_some());
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_fatal_signal_is_in_the_status() {
    let engine = engine();
    let outcome = shell(&engine, "sh -c 'kill -SEGV $$'; exit $?").await;
    assert_eq!(outcome.exit.status, 139);
    assert_eq!(shell(&engine, "ls -A").await.ok(), "", "no core file");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn bytes_come_out_as_they_went_in() {
    let input: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let outcome =
        run_with(&engine(), sandbox(), &["sh", "-c", "cat | od -An -v -tu1 | sort | uniq | wc -l; wc -c"], &input)
            .await;
    assert_eq!(outcome.exit.status, 0);
    let outcome = run_with(&engine(), sandbox(), &["wc", "-c"], &input).await;
    assert_eq!(outcome.ok().trim(), "300000");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_command_that_is_not_there_is_an_error_that_names_it() {
    let engine = engine();
    let spec = Spec { image: "tests".to_owned(), command: vec!["no-such-program".to_owned()], sandbox: sandbox() };
    let container = engine.start(&spec).await.unwrap();
    let error = container.handle.wait().await.unwrap_err().to_string();
    assert_eq!(error, "failed to start no-such-program: No such file or directory (os error 2)");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_missing_toolchain_names_the_package() {
    let engine = engine();
    let all = ["python:3", "node:22", "golang:1", "gcc:14", "eclipse-temurin:21"];
    for image in all {
        let found = engine.image(image).await.unwrap();
        let spec = Spec { image: image.to_owned(), command: vec!["true".to_owned()], sandbox: sandbox() };
        match engine.start(&spec).await {
            Ok(_) => assert!(found.unwrap().digest.contains('/'), "the toolchain is named"),
            Err(EngineError::ToolchainMissing { advice, .. }) => {
                assert!(found.is_none());
                assert!(advice.contains("apt install") && advice.contains("apk add"), "{advice}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn removing_kills_everything_in_it() {
    let engine = engine();
    let sleeper = sleeper();
    // In a session of its own, with a second fork, deaf to polite signals.
    let line = format!("trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; sleep {sleeper} & sleep {sleeper}' & wait");
    let container = start(&engine, sandbox(), &["sh", "-c", &line]).await;
    until("the sleeper", || runs(&sleeper));
    let begin = Instant::now();
    container.handle.remove().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(!runs(&sleeper));
    container.handle.remove().await.unwrap();
    assert_eq!(container.handle.wait().await.unwrap().status, 137);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn dropping_kills_everything_in_it() {
    let engine = engine();
    let sleeper = sleeper();
    let container = start(&engine, sandbox(), &["sleep", &sleeper]).await;
    until("the sleeper", || runs(&sleeper));
    drop(container);
    until("its end", || !runs(&sleeper));
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_survivor_that_holds_the_output_does_not_survive_the_first_process() {
    let engine = engine();
    let sleeper = sleeper();
    let begin = Instant::now();
    let outcome = shell(&engine, &format!("(setsid sleep {sleeper} &) ; echo done")).await;
    assert_eq!(outcome.stdout, "done\n");
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(!runs(&sleeper));
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_launcher_that_is_killed_takes_its_sandboxes_along_and_the_next_run_works() {
    let engine = engine();
    let sleeper = sleeper();
    let container = start(&engine, sandbox(), &["sleep", &sleeper]).await;
    until("the sleeper", || runs(&sleeper));
    let launcher = launcher_of(&sleeper);
    rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
    let error = container.handle.wait().await.unwrap_err().to_string();
    assert!(error.contains("its launcher is gone"), "{error}");
    until("its end", || !runs(&sleeper));
    drop(container);
    assert_eq!(shell(&engine, "echo again").await.ok(), "again\n");
    // What it could not clean up itself is swept, and what lives is not.
    let living = start(&engine, sandbox(), &["sleep", &sleeper]).await;
    until("the sleeper", || runs(&sleeper));
    engine.sweep().await.unwrap();
    until("the sweep", || leftovers(launcher.as_raw_nonzero().get()).is_empty());
    assert!(runs(&sleeper));
    living.handle.remove().await.unwrap();
}

/// The launcher of the sandbox in which this sleeper sleeps: its parent.
fn launcher_of(sleeper: &str) -> rustix::process::Pid {
    let sleeper = processes_with(sleeper).pop().expect("the sleeper");
    let stat = fs::read_to_string(sleeper.join("stat")).unwrap();
    let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<i32>().ok()).unwrap();
    let line = fs::read(format!("/proc/{parent}/cmdline")).unwrap();
    assert!(line.starts_with(b"runpen-launcher\0"));
    rustix::process::Pid::from_raw(parent).unwrap()
}

/// Not a test by itself: the server that the next one kills.
#[tokio::test]
#[ignore = "a part of another test"]
async fn server_to_be_killed() {
    let Ok(sleeper) = std::env::var("RUNPEN_TEST_SLEEPER") else { return };
    let engine = engine();
    let _container = start(&engine, sandbox(), &["sleep", &sleeper]).await;
    std::future::pending::<()>().await;
}

#[test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
fn a_server_that_is_killed_leaves_nothing() {
    let sleeper = sleeper();
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::server_to_be_killed", "--include-ignored"])
        .env("RUNPEN_TEST_SLEEPER", &sleeper)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the sleeper", || runs(&sleeper));
    let launcher = launcher_of(&sleeper);
    server.kill().unwrap();
    server.wait().unwrap();
    until("its end", || !runs(&sleeper));
    until("the launcher's end", || !fs::exists(format!("/proc/{}", launcher.as_raw_nonzero())).unwrap());
    assert_eq!(leftovers(launcher.as_raw_nonzero().get()), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn what_is_not_read_waits_and_what_is_not_wanted_is_not_kept() {
    let engine = engine();
    let mut container = start(&engine, sandbox(), &["sh", "-c", "yes; echo end >&2"]).await;
    let first = container.output.recv().await.unwrap();
    assert!(first.bytes.starts_with(b"y\n"));
    // Nobody reads: the program stands still, and can be killed all the same.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(container.output.len() <= 64);
    tokio::time::timeout(Duration::from_secs(5), container.handle.remove()).await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn standard_input_ends_when_it_is_shut_down() {
    let engine = engine();
    let mut container = start(&engine, sandbox(), &["cat"]).await;
    container.stdin.write_all(b"x").await.unwrap();
    assert_eq!(&container.output.recv().await.unwrap().bytes[..], b"x");
    container.stdin.shutdown().await.unwrap();
    assert!(container.output.recv().await.is_none());
    assert_eq!(container.handle.wait().await.unwrap().status, 0);
    assert!(container.stdin.write_all(b"x").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_thousand_runs_leave_nothing() {
    let engine = std::sync::Arc::new(engine());
    run(&engine, &["true"]).await.ok();
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    // Others may mount on this machine meanwhile; ours would be where roots are built.
    let ours = ["/tmp", "/mnt", "/srv", "/media", "/tmp/usr", "/tmp/proc", "/tmp/dev/null", "/runpen"];
    let mounts = || {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        text.lines().filter(|line| line.split(' ').nth(4).is_some_and(|target| ours.contains(&target))).count()
    };
    let before = (mounts(), fs::read_dir("/tmp").unwrap().count());
    let open = files();
    for _ in 0..=1000 / 16 {
        let all = (0..16).map(|number| {
            let engine = std::sync::Arc::clone(&engine);
            tokio::spawn(async move {
                let outcome = shell(&engine, &format!("echo {number}")).await;
                assert_eq!(outcome.ok(), format!("{number}\n"));
            })
        });
        for one in all.collect::<Vec<_>>() {
            one.await.unwrap();
        }
    }
    until("the descriptors", || files() <= open + 4);
    assert_eq!(mounts(), before.0);
    assert!(
        fs::read_dir("/tmp").unwrap().count() <= before.1 + 8,
        "other tests may write there, a thousand runs may not"
    );
    let sleeper = sleeper();
    let last = start(&engine, sandbox(), &["sleep", &sleeper]).await;
    until("the sleeper", || runs(&sleeper));
    let launcher = launcher_of(&sleeper).as_raw_nonzero().get();
    last.handle.remove().await.unwrap();
    assert_eq!(leftovers(launcher), Vec::<String>::new());
    let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children")).unwrap();
    assert_eq!(children, "", "no process, no zombie");
    let held = fs::read_dir(format!("/proc/{launcher}/fd")).unwrap().count();
    assert!(held < 12, "the launcher holds {held} files");
}
