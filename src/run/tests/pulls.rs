//! Stories of images on their way.

use super::*;
use crate::engine::EngineError;
use crate::engine::ledger::Ledger;

fn interrupted() -> EngineError {
    let [image, reason, advice] = ["x", "status 500", "try again"].map(str::to_owned);
    EngineError::PullInterrupted { image, reason, advice }
}

fn missing(engine: &FakeEngine) -> String {
    let image = request("python", "out").language.image;
    engine.set_missing(&image);
    image
}

#[tokio::test]
async fn however_many_want_an_image_it_is_fetched_once() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let image = missing(&engine);
    engine.hold_pulls(true);
    let runs: Vec<_> = (0..5).map(|_| manager.start(request("python", "out hello"))).collect();
    let asked = manager.fetch(&request("python", "out").language, &cold()).await.expect("an engine");
    let mut ticket = asked.expect("it is not there");
    until("the pull tells of itself", || {
        manager.pulling(&image).is_some_and(|pull| pull.borrow().progress.total_bytes == 2)
    })
    .await;
    engine.hold_pulls(false);
    assert!(ticket.done().await.is_ok());
    for run in runs {
        assert_eq!(finish(run).await.0, "hello\n");
    }
    assert_eq!(engine.pulls(), 1);
    let there = manager.fetch(&request("python", "out").language, &cold()).await.expect("an engine");
    assert!(there.is_none());
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn a_pull_that_a_fault_interrupts_is_tried_again() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    missing(&engine);
    engine.refuse_pull(interrupted());
    engine.refuse_pull(interrupted());
    tokio::time::pause();
    let (stdout, ..) = finish(manager.start(request("python", "out hello"))).await;
    assert_eq!((stdout.as_str(), engine.pulls()), ("hello\n", 3));
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn what_does_not_pass_is_one_clear_line_and_the_next_run_tries_anew() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    missing(&engine);
    let [image, reason, advice] = ["x:1", "manifest unknown", "check its name"].map(str::to_owned);
    engine.refuse_pull(EngineError::ImageMissing { image, reason, advice });
    let (_, _, _, finished) = finish(manager.start(request("python", "out hello"))).await;
    assert_eq!((finished.outcome, engine.pulls()), (Outcome::EngineFailure, 1));
    assert!(finished.error.is_some_and(|error| error.contains("manifest unknown") && !error.contains('\n')));
    assert_eq!(finish(manager.start(request("python", "out hello"))).await.0, "hello\n");
    tokio::time::pause();
    missing(&engine);
    for _ in 0..4 {
        engine.refuse_pull(interrupted());
    }
    let (_, _, _, finished) = finish(manager.start(request("python", "out hello"))).await;
    assert!(finished.error.is_some_and(|error| error.contains("status 500")), "it gives up in the end");
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn a_pull_stops_with_the_last_who_wants_it() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let image = missing(&engine);
    engine.hold_pulls(true);
    let ticket = manager.fetch(&request("python", "out").language, &cold()).await.expect("an engine");
    let run = manager.start(request("python", "out hello"));
    let id = run.id.clone();
    let mut events = run.events;
    while !matches!(events.recv().await, Some(Event::Phase(phase)) if phase.phase == PhaseName::Pull) {}
    drop(ticket);
    assert!(manager.pulling(&image).is_some(), "the run still wants it");
    assert_eq!(manager.cancel(Some(&id)), 1);
    while let Some(event) = events.recv().await {
        assert!(!matches!(&event, Event::Finished(finished) if finished.outcome != Outcome::Cancelled), "{event:?}");
    }
    until("it stops", || manager.pulling(&image).is_none()).await;
    engine.hold_pulls(false);
    let (stdout, ..) = finish(manager.start(request("python", "out hello"))).await;
    assert_eq!((stdout.as_str(), engine.pulls()), ("hello\n", 2));
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn what_was_fetched_and_used_is_noted() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::at(Some(folder.path().to_owned()));
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone())).noting(ledger.clone());
    let image = missing(&engine);
    assert_eq!(finish(manager.start(request("python", "out hello"))).await.0, "hello\n");
    assert_eq!(finish(manager.start(request("shell", "out hello"))).await.0, "hello\n");
    removed(&engine, &manager).await;
    let entries = ledger.entries("fake");
    let brought: Vec<_> = entries.iter().filter_map(|(entry, _)| entry.brought.clone()).collect();
    assert_eq!((entries.len(), brought), (2, vec!["sha256:0".to_owned()]));
    assert!(entries.iter().any(|(entry, _)| entry.reference == image && entry.brought.is_some()));
}

#[tokio::test]
async fn the_end_of_the_server_stops_a_pull() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    missing(&engine);
    engine.hold_pulls(true);
    let asked = manager.fetch(&request("python", "out").language, &cold()).await.expect("an engine");
    let mut ticket = asked.expect("it is not there");
    until("the pull begins", || engine.pulls() == 1).await;
    manager.shutdown(Duration::from_secs(60)).await;
    assert!(ticket.done().await.is_err());
}
