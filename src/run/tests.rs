//! Stories of runs, on the scripted engine.

mod pool;
mod pulls;

use std::sync::Arc;
use std::time::Duration;

use super::{InputError, Manager, RunHandle, RunRequest, Stdin};
use crate::config::{Isolation, Settings, Size, Span, Warm};
use crate::engine::fake::FakeEngine;
use crate::language::Languages;
use crate::protocol::{Event, Finished, Outcome, PhaseName, Stream};
use crate::snippet::Snippet;
use crate::text::{Encoding, Text};

/// Without waiting containers, so that every container there is belongs to a run.
fn cold() -> Arc<Settings> {
    Arc::new(Settings { warm: Warm { enabled: false, ..Warm::default() }, ..Settings::default() })
}

fn request(language: &str, script: &str) -> RunRequest {
    let language = Languages::built_in().named(language).expect("a built-in language").clone();
    RunRequest {
        snippet: Snippet::file(&Text::new(script), None, &language).expect("a script"),
        language,
        settings: cold(),
        args: Vec::new(),
        files: Vec::new(),
        stdin: Stdin::Empty,
        uri: None,
        range: None,
        encoding: Encoding::Utf16,
        cold: false,
        raw: false,
        turns: None,
    }
}

/// Everything a run says, checked for what must hold of every run.
async fn finish(mut run: RunHandle) -> (String, String, Vec<Event>, Finished) {
    let (mut stdout, mut stderr, mut events, mut next) = (String::new(), String::new(), Vec::new(), 0);
    while let Some(event) = run.events.recv().await {
        assert_eq!(event.run_id(), run.id);
        if let Event::Output(output) = &event {
            assert_eq!(output.seq, next, "no gaps");
            next += 1;
            if output.stream == Stream::Stdout { &mut stdout } else { &mut stderr }.push_str(&output.text);
        }
        events.push(event);
    }
    let Some(Event::Finished(finished)) = events.last().cloned() else { panic!("the last event is finished") };
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Finished(_))).count(), 1);
    (stdout, stderr, events, *finished)
}

async fn removed(engine: &FakeEngine, manager: &Manager) {
    manager.shutdown(Duration::from_secs(5)).await;
    assert_eq!(engine.alive(), 0, "every container is removed");
    assert!(manager.runs().is_empty());
}

#[tokio::test]
async fn a_program_prints_and_exits() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let (stdout, stderr, _, finished) = finish(manager.start(request("python", "out hello\nerr oh\nexit 3"))).await;
    assert_eq!((stdout.as_str(), stderr.as_str()), ("hello\n", "oh\n"));
    assert_eq!((finished.outcome, finished.exit_code, finished.signal), (Outcome::Exited, Some(3), None));
    assert_eq!(finished.phases.len(), 1);
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn what_a_compiler_built_goes_on_to_a_second_container() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let (stdout, stderr, events, finished) =
        finish(manager.start(request("go", "compile:err a warning\nout ran"))).await;
    assert_eq!((stdout.as_str(), stderr.as_str()), ("ran\n", "a warning\n"));
    let phases: Vec<_> = finished.phases.iter().map(|phase| phase.name).collect();
    assert_eq!(phases, [PhaseName::Compile, PhaseName::Run]);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Phase(_))).count(), 4);
    assert_eq!(engine.started(), 2);
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn a_refused_program_is_not_run() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let (stdout, _, _, finished) = finish(manager.start(request("go", "compile:exit 2\nout ran"))).await;
    assert_eq!((stdout.as_str(), finished.outcome, finished.exit_code), ("", Outcome::CompileFailed, Some(2)));
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn limits_and_deaths_have_their_own_outcomes() {
    for (script, outcome, signal) in [
        ("signal 11", Outcome::Signaled, Some(11)),
        ("oom", Outcome::OutOfMemory, Some(9)),
        ("flood 2000000\nhang", Outcome::OutputLimit, None),
        ("die", Outcome::EngineFailure, None),
    ] {
        let engine = FakeEngine::default();
        let manager = Manager::new(Arc::new(engine.clone()));
        let (stdout, _, _, finished) = finish(manager.start(request("python", script))).await;
        assert_eq!((finished.outcome, finished.signal), (outcome, signal), "{script}");
        if outcome == Outcome::OutputLimit {
            assert_eq!((stdout.len(), finished.truncated), (1024 * 1024, true));
        }
        assert_eq!(finished.diagnostics.len(), 1, "{script} is shown where it was run");
        removed(&engine, &manager).await;
    }
}

#[tokio::test]
async fn a_deadline_keeps_the_output_and_does_not_wait_for_a_client_that_does_not_read() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let mut request = request("python", "out before\nflood 100000000");
    let (timeout, output_limit) = (Span(Duration::from_millis(200)), Size::mib(1024));
    request.settings = Arc::new(Settings { timeout, output_limit, ..cold().as_ref().clone() });
    let run = manager.start(request);
    while engine.started() == 0 || engine.alive() > 0 {
        tokio::task::yield_now().await;
    }
    let (stdout, _, _, finished) = finish(run).await;
    assert_eq!(finished.outcome, Outcome::TimedOut);
    assert!(stdout.starts_with("before\n"));
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn cancelling_a_run_removes_its_container() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let mut run = manager.start(request("python", "out ready\nhang"));
    while !matches!(run.events.recv().await, Some(Event::Output(_))) {}
    assert_eq!(manager.runs().len(), 1);
    assert_eq!(manager.cancel(Some(&run.id)), 1);
    assert_eq!(manager.cancel(Some("no such run")), 0);
    loop {
        if let Some(Event::Finished(finished)) = run.events.recv().await {
            assert_eq!(finished.outcome, Outcome::Cancelled);
            break;
        }
    }
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn a_client_that_is_gone_cancels_its_run() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    drop(manager.start(request("python", "out one\nsleep 5\nout two\nhang")));
    while !manager.runs().is_empty() {
        tokio::task::yield_now().await;
    }
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn input_reaches_the_program_and_is_refused_when_it_cannot() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let run = manager.start(RunRequest { stdin: Stdin::Interactive, ..request("python", "cat") });
    let id = run.id.clone();
    assert_eq!(manager.send_input(&id, "héllo ".as_bytes(), false), Ok(()));
    assert_eq!(manager.send_input(&id, b"world", true), Ok(()));
    assert_eq!(manager.send_input(&id, b"more", false), Err(InputError::Closed(id.clone())));
    let (stdout, ..) = finish(run).await;
    assert_eq!(stdout, "héllo world");
    assert_eq!(manager.send_input(&id, b"late", false), Err(InputError::UnknownRun(id.clone())));
    let text = Stdin::Text(b"all of it".to_vec());
    let (stdout, ..) = finish(manager.start(RunRequest { stdin: text, ..request("python", "cat") })).await;
    assert_eq!(stdout, "all of it");
    let run = manager.start(RunRequest { stdin: Stdin::Interactive, ..request("python", "hang") });
    let piece = vec![b'x'; 300 * 1024];
    let refused = (0..20).find_map(|_| manager.send_input(&run.id, &piece, false).err());
    assert!(matches!(refused, Some(InputError::Full(..))), "{refused:?}");
    drop(run);
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn a_missing_image_is_pulled() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let request = request("python", "out hello");
    engine.set_missing(&request.language.image);
    let (stdout, _, events, _) = finish(manager.start(request)).await;
    assert_eq!(stdout, "hello\n");
    let pulls = events.iter().filter(|event| matches!(event, Event::Phase(phase) if phase.phase == PhaseName::Pull));
    assert_eq!(pulls.count(), 2);
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn an_engine_that_is_gone_is_one_clear_line_and_the_next_run_works() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    engine.set_unreachable(Some("connection refused"));
    let (_, _, events, finished) = finish(manager.start(request("python", "out hello"))).await;
    assert_eq!((finished.outcome, events.len()), (Outcome::EngineFailure, 1));
    let error = finished.error.expect("a line");
    assert!(error.contains("connection refused") && !error.contains('\n'), "{error}");
    engine.set_unreachable(None);
    assert_eq!(finish(manager.start(request("python", "out hello"))).await.3.outcome, Outcome::Exited);
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn twenty_runs_at_once_all_end_rightly() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let runs: Vec<_> =
        (0..20).map(|n| manager.start(request("python", &format!("out {n}\nsleep 5\nexit {n}")))).collect();
    for (n, run) in (0..).zip(runs) {
        let (stdout, _, _, finished) = finish(run).await;
        assert_eq!((stdout, finished.exit_code), (format!("{n}\n"), Some(n)));
    }
    removed(&engine, &manager).await;
}

/// Waits until something holds, or fails.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), looking).await.is_ok(), "{what}");
}

#[tokio::test]
async fn strict_refuses_a_sandbox_that_lacks_a_control_and_says_which() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    engine.set_lacking("memory: no cgroup");
    let strict = Arc::new(Settings { strict: true, ..cold().as_ref().clone() });
    let (stdout, _, _, finished) =
        finish(manager.start(RunRequest { settings: strict, ..request("python", "out x") })).await;
    assert_eq!((stdout.as_str(), finished.outcome), ("", Outcome::EngineFailure));
    assert!(finished.error.is_some_and(|error| error.contains("memory: no cgroup")));
    let (stdout, _, _, finished) = finish(manager.start(request("python", "out x"))).await;
    assert_eq!((stdout.as_str(), finished.outcome), ("x\n", Outcome::Exited), "without it the receipt says so");
    assert_eq!(finished.sandbox.expect("a receipt").missing, ["memory: no cgroup"]);
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn an_isolation_that_nobody_offers_is_refused_and_not_left_out() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let settings = Arc::new(Settings { isolation: Isolation::Gvisor, ..cold().as_ref().clone() });
    let (stdout, _, _, finished) = finish(manager.start(RunRequest { settings, ..request("python", "out x") })).await;
    assert_eq!((stdout.as_str(), finished.outcome, engine.started()), ("", Outcome::EngineFailure, 0));
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn a_toolchain_is_prepared_once_and_used_by_every_run() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let runs: Vec<_> = (0..3).map(|_| manager.start(request("go", "out ran"))).collect();
    for run in runs {
        let (stdout, _, events, _) = finish(run).await;
        let Some(Event::Started(started)) = events.first() else { panic!("started comes first") };
        assert_eq!(stdout, "ran\n");
        assert!(started.image.starts_with(crate::engine::BAKED), "{}", started.image);
    }
    assert_eq!(engine.baked().len(), 1);
    removed(&engine, &manager).await;
}
