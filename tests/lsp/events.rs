//! What a run says, and in which order.

use runpen::config::Size;
use serde_json::{Value, json};

use crate::harness::{TestServer, URI, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_in_order_after_the_answer_and_end_once() {
    let mut server = TestServer::start().await;
    server.open("out 1\nerr 2\n").await;
    let run_id = server.run_file().await;
    assert_eq!(server.unread(), Vec::<String>::new(), "an event overtook the answer");
    let events = server.events(&run_id).await;
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["started", "phase", "output", "output", "phase", "finished"]);
    assert_eq!(events[0]["uri"], URI);
    assert_eq!((&events[1]["phase"], &events[1]["state"]), (&json!("run"), &json!("begin")));
    assert_eq!((&events[4]["phase"], &events[4]["state"]), (&json!("run"), &json!("end")));
    let sequence: Vec<&Value> = events[2..4].iter().map(|event| &event["seq"]).collect();
    assert_eq!(sequence, [0, 1]);
    assert_eq!((&events[5]["outcome"], &events[5]["exitCode"]), (&json!("exited"), &json!(0)));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiled_language_has_a_phase_more() {
    let mut server = TestServer::start().await;
    let document = json!({"uri": "file:///a.cpp", "languageId": "cpp", "version": 1, "text": "out 1\n"});
    server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    let answer = server.command("runpen.runFile", json!({"uri": "file:///a.cpp"})).await.unwrap();
    let events = server.events(answer["runId"].as_str().unwrap()).await;
    let phases: Vec<&str> = events.iter().filter_map(|event| event["phase"].as_str()).collect();
    assert_eq!(phases, ["compile", "compile", "run", "run"]);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_engine_is_the_end_of_a_run_and_not_of_the_next() {
    let mut server = TestServer::start().await;
    server.engine.set_unreachable(Some("no socket"));
    server.open("out 1\n").await;
    let run_id = server.run_file().await;
    let events = server.events(&run_id).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["outcome"], "engine_failure");
    assert!(events[0]["error"].as_str().unwrap().contains("no socket"));
    assert!(server.notification("window/logMessage").await["message"].as_str().unwrap().contains("no socket"));
    assert_eq!(
        server.notification("textDocument/publishDiagnostics").await["diagnostics"].as_array().unwrap().len(),
        1
    );
    server.engine.set_unreachable(None);
    let run_id = server.run_file().await;
    assert_eq!(server.notification("textDocument/publishDiagnostics").await["diagnostics"], json!([]));
    assert_eq!(server.finished(&run_id).await["outcome"], "exited");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_runs_at_once_all_end_rightly() {
    let mut server = TestServer::start().await;
    server.open("flood 100000\nexit 3\n").await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(server.run_file().await);
    }
    for run_id in runs {
        let events = server.events(&run_id).await;
        assert_eq!(text(&events, "stdout").len(), 100_000);
        let sequence: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
        assert!(sequence.iter().copied().eq(0..sequence.len() as u64), "{sequence:?}");
        assert_eq!(events.last().unwrap()["exitCode"], 3);
    }
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_still_heard() {
    let builder = TestServer::builder().pipe(4096);
    let mut server = builder.settings(|settings| settings.settings.output_limit = Size::mib(8)).start().await;
    server.open("flood 4000000\n").await;
    let first = server.run_file().await;
    // Nothing is read from here on. Enough changes to fill any queue between reading and handling.
    for version in 2..2000 {
        server.change(version, [0, 0], [0, 0], "#").await;
    }
    server.change(2000, [0, 0], [0, 1998], "").await;
    server.change(2001, [0, 0], [1, 0], "out quick\n").await;
    let id =
        server.ask("workspace/executeCommand", json!({"command": "runpen.runFile", "arguments": [{"uri": URI}]})).await;
    server.notify("$/cancelRequest", json!({"id": 99})).await;
    // The changes were handled while nothing was read: now everything is there.
    let answer = server.answer(id).await.unwrap();
    let events = server.events(answer["runId"].as_str().unwrap()).await;
    assert_eq!(text(&events, "stdout"), "quick\n");
    let events = server.events(&first).await;
    assert_eq!(text(&events, "stdout").len(), 4_000_000);
    let sequence: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(sequence.iter().copied().eq(0..sequence.len() as u64));
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_limit_ends_a_run_whose_client_does_not_read() {
    let builder = TestServer::builder().pipe(4096);
    let settings = builder.settings(|settings| settings.settings.output_limit = Size::mib(1));
    let mut server = settings.start().await;
    server.open("flood 9000000\n").await;
    let run_id = server.run_file().await;
    let finished = server.finished(&run_id).await;
    assert_eq!((&finished["outcome"], &finished["truncated"]), (&json!("output_limit"), &json!(true)));
    server.forget();
    server.finish().await;
}
