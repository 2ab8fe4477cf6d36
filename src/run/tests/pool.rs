//! Stories of waiting containers. Where the clock is held, a pause passes exactly when nothing else has anything to do.

use super::*;

fn waiting(manager: &Manager) -> u32 {
    manager.pool().iter().map(|pool| pool.waiting).sum()
}

fn started_warm(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Started(started) if started.warm))
}

#[tokio::test]
async fn a_language_that_is_expected_has_containers_waiting_and_a_run_takes_one() {
    for (language, each) in [("python", 2), ("shell", 2), ("go", 4)] {
        let engine = FakeEngine::default();
        let manager = Manager::new(Arc::new(engine.clone()));
        let warm = || RunRequest { settings: Arc::new(Settings::default()), ..request(language, "out hello\ncat") };
        let settings = warm().settings;
        manager.expect(&warm().language, &settings, None);
        until("the pool fills", || waiting(&manager) == each).await;
        let (stdout, _, events, _) =
            finish(manager.start(RunRequest { stdin: Stdin::Text(b"in".to_vec()), ..warm() })).await;
        assert_eq!((stdout.as_str(), started_warm(&events)), ("hello\nin", true), "{language}");
        until("it fills again", || waiting(&manager) == each).await;
        let other =
            Settings { timeout: Span(Duration::from_secs(9)), memory: Some(Size::mib(99)), ..Settings::default() };
        let (_, _, events, _) = finish(manager.start(RunRequest { settings: Arc::new(other), ..warm() })).await;
        assert!(!started_warm(&events), "another limit is another container");
        let (_, _, events, _) = finish(manager.start(RunRequest { cold: true, ..warm() })).await;
        assert!(!started_warm(&events), "cold is cold");
        removed(&engine, &manager).await;
    }
}

#[tokio::test]
async fn a_burst_beyond_the_pool_starts_cold_at_once() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let warm = || RunRequest { settings: Arc::new(Settings::default()), ..request("python", "out hello\nsleep 20") };
    manager.expect(&warm().language, &warm().settings, None);
    until("the pool fills", || waiting(&manager) == 2).await;
    let runs: Vec<_> = (0..10).map(|_| manager.start(warm())).collect();
    let mut taken = 0;
    for run in runs {
        let (stdout, _, events, _) = finish(run).await;
        assert_eq!(stdout, "hello\n");
        taken += u32::from(started_warm(&events));
    }
    assert!((2..10).contains(&taken), "{taken}");
    removed(&engine, &manager).await;
}

#[tokio::test]
async fn what_died_while_it_waited_is_replaced_and_never_taken() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let warm = || RunRequest { settings: Arc::new(Settings::default()), ..request("python", "out hello") };
    manager.expect(&warm().language, &warm().settings, None);
    until("the pool fills", || waiting(&manager) == 2).await;
    let started = engine.started();
    engine.kill_all();
    until("it is filled anew", || engine.started() >= started + 2 && waiting(&manager) == 2).await;
    let (stdout, _, events, _) = finish(manager.start(warm())).await;
    assert_eq!((stdout.as_str(), started_warm(&events)), ("hello\n", true));
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_is_kept() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let warm = Warm { per_language: 50, memory: Size::mib(30), ..Warm::default() };
    manager.expect(&request("python", "out").language, &Arc::new(Settings { warm, ..Settings::default() }), None);
    quiet().await;
    assert_eq!((waiting(&manager), engine.started()), (2, 2));
    removed(&engine, &manager).await;
}

/// Passes when nothing else can go on.
async fn quiet() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn warm(language: &str, script: &str) -> RunRequest {
    RunRequest { settings: Arc::new(Settings::default()), ..request(language, script) }
}

fn expect(manager: &Manager, language: &str) {
    let request = warm(language, "out");
    manager.expect(&request.language, &request.settings, None);
}

#[tokio::test(start_paused = true)]
async fn an_idle_language_is_let_go_after_its_time_and_not_before() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    expect(&manager, "python");
    tokio::time::sleep(Duration::from_secs(14 * 60)).await;
    assert_eq!((waiting(&manager), engine.started()), (2, 2));
    tokio::time::sleep(Duration::from_secs(2 * 60)).await;
    assert_eq!((waiting(&manager), engine.alive()), (0, 0));
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_over_what_is_on_its_way_and_a_burst_beyond_starts_cold_at_once() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    engine.hold_starts(true);
    expect(&manager, "python");
    quiet().await;
    assert_eq!(engine.started(), 2, "two are on their way");
    let first = manager.start(warm("python", "out hello"));
    quiet().await;
    assert_eq!(engine.started(), 2, "the run takes one of them over");
    let more = [(); 2].map(|()| manager.start(warm("python", "out hello")));
    quiet().await;
    assert_eq!(engine.started(), 3, "the last run finds none and starts its own");
    engine.hold_starts(false);
    for run in more.into_iter().chain([first]) {
        let (stdout, _, events, _) = finish(run).await;
        assert_eq!((stdout.as_str(), started_warm(&events)), ("hello\n", false));
    }
    quiet().await;
    assert_eq!((engine.started(), waiting(&manager)), (5, 2), "then it is filled anew");
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_promised_to_a_run_that_is_gone_waits_for_the_next() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    engine.hold_starts(true);
    expect(&manager, "shell");
    quiet().await;
    let run = manager.start(warm("shell", "out hello"));
    quiet().await;
    assert_eq!(manager.cancel(Some(&run.id)), 1);
    assert_eq!(finish(run).await.3.outcome, Outcome::Cancelled);
    let next = [(); 2].map(|()| manager.start(warm("shell", "out hello")));
    quiet().await;
    assert_eq!(engine.started(), 3, "one may have been taken by the run that is gone, no more");
    engine.hold_starts(false);
    for run in next {
        assert_eq!(finish(run).await.0, "hello\n");
    }
    quiet().await;
    assert_eq!(waiting(&manager), 2);
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_on_its_way_is_started_anew_for_the_run() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    engine.hold_starts(true);
    expect(&manager, "python");
    quiet().await;
    let run = manager.start(warm("python", "out hello"));
    quiet().await;
    engine.fail_starts(2);
    engine.hold_starts(false);
    assert_eq!(finish(run).await.0, "hello\n");
    quiet().await;
    assert_eq!((engine.started(), waiting(&manager)), (5, 2), "a run that worked ends the pause after failures");
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn refills_that_fail_pause_longer_and_longer() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    engine.fail_starts(usize::MAX);
    expect(&manager, "shell");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let tried = engine.started();
    assert!((4..40).contains(&tried), "{tried} in ten minutes");
    engine.fail_starts(0);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(waiting(&manager), 2);
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_was_replaced_takes_no_run_for_long() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    expect(&manager, "python");
    quiet().await;
    engine.set_digest("sha256:1");
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!((engine.started(), engine.alive(), waiting(&manager)), (4, 2, 2), "found by looking once in a while");
    engine.set_digest("sha256:2");
    tokio::time::sleep(Duration::from_secs(3)).await;
    finish(manager.start(warm("python", "out hello"))).await;
    quiet().await;
    assert_eq!((engine.alive(), waiting(&manager)), (2, 2));
    assert!(engine.started() >= 6, "found behind a run: {}", engine.started());
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn an_interpreter_waits_for_files_of_its_name_and_for_the_latest_names_only() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    let named = |name: &str| {
        let request = warm("python", "out hello");
        let snippet = Snippet::file(&Text::new("out hello"), Some(name), &request.language).expect("a script");
        RunRequest { snippet, ..request }
    };
    for name in ["a.py", "b.py", "c.py", "d.py"] {
        manager.expect(&named(name).language, &named(name).settings, Some(name));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!((waiting(&manager), engine.alive()), (6, 6), "two each of the three latest names");
    for (name, is_warm) in [("d.py", true), ("a.py", false), ("a.py", true)] {
        let (stdout, _, events, _) = finish(manager.start(named(name))).await;
        assert_eq!((stdout.as_str(), started_warm(&events)), ("hello\n", is_warm), "{name}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(waiting(&manager), 6);
    removed(&engine, &manager).await;
}

#[tokio::test(start_paused = true)]
async fn a_ruby_that_takes_options_from_its_program_does_not_wait_for_it() {
    let engine = FakeEngine::default();
    let manager = Manager::new(Arc::new(engine.clone()));
    expect(&manager, "ruby");
    quiet().await;
    for (script, is_warm) in [("#!/usr/bin/ruby -w\nout hello", false), ("out hello", true)] {
        let (stdout, _, events, _) = finish(manager.start(warm("ruby", script))).await;
        assert_eq!((stdout.as_str(), started_warm(&events)), ("hello\n", is_warm), "{script}");
    }
    removed(&engine, &manager).await;
}
