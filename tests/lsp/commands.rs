//! Commands and their arguments.

use serde_json::{Value, json};

use crate::harness::{TestServer, URI, range, text};

#[tokio::test]
async fn wrong_arguments_are_refused_with_one_clear_line() {
    let mut server = TestServer::start().await;
    server.open("out 1\n").await;
    for (command, arguments, word) in [
        ("runpen.fly", json!([]), "there is no command `runpen.fly`; there are runpen.runFile,"),
        ("runpen.runFile", json!([]), "one object is expected, 0 arguments came"),
        ("runpen.runFile", json!([{"uri": URI}, 1]), "one object is expected, 2 arguments came"),
        ("runpen.runFile", json!(["file:///a.py"]), "the argument must be an object"),
        ("runpen.runFile", json!([[URI]]), "the argument must be an object"),
        ("runpen.runFile", json!([{}]), "missing field `uri`"),
        ("runpen.runFile", json!([{"uri": 7}]), "invalid type: integer `7`"),
        ("runpen.runFile", json!([{"uri": "story.py"}]), "`story.py` is not a URI"),
        ("runpen.runFile", json!([{"uri": URI, "args": "a b"}]), "invalid type: string \"a b\""),
        ("runpen.runSelection", json!([{"uri": URI}]), "missing field `range`"),
        (
            "runpen.runSelection",
            json!([{"uri": URI, "range": range([0, 0], [9, 0])}]),
            "position 9:0 lies outside the document, which has 2 lines",
        ),
        (
            "runpen.runSelection",
            json!([{"uri": URI, "range": range([0, 3], [0, 1])}]),
            "the range ends at 0:1, before it begins at 0:3",
        ),
        (
            "runpen.runSelection",
            json!([{"uri": URI, "range": {"start": {"line": -1, "character": 0}, "end": {"line": 0, "character": 1}}}]),
            "invalid value",
        ),
        ("runpen.sendInput", json!([{"runId": "nobody", "text": "x"}]), "no run nobody is under way"),
        ("runpen.cancel", json!([{"runId": 7}]), "invalid type: integer `7`"),
    ] {
        let params = json!({"command": command, "arguments": arguments});
        let (code, message) = server.request("workspace/executeCommand", params).await.unwrap_err();
        assert_eq!(code, -32602, "{message}");
        assert!(message.contains(word) && !message.contains('\n'), "{command} {arguments}: {message}");
    }
    let (code, _) = server.request("workspace/executeCommand", json!({"arguments": []})).await.unwrap_err();
    assert_eq!(code, -32602);
    assert_eq!(server.engine.started(), 0);
    server.finish().await;
}

#[tokio::test]
async fn who_waits_gets_the_end_with_all_output() {
    let mut server = TestServer::start().await;
    server.open("out 1\nerr 2\nout 3\nexit 4\n").await;
    let answer =
        server.command("runpen.runFile", json!({"uri": URI, "wait": true, "args": [], "stdin": ""})).await.unwrap();
    assert_eq!(answer["outcome"], "exited");
    assert_eq!(answer["exitCode"], 4);
    assert_eq!(answer["stdout"], "1\n3\n");
    assert_eq!(answer["stderr"], "2\n");
    let finished = server.finished(answer["runId"].as_str().unwrap()).await;
    assert!(finished.get("stdout").is_none());
    server.finish().await;
}

#[tokio::test]
async fn waiting_holds_nobody_back() {
    let mut server = TestServer::start().await;
    server.open("read\nout done\n").await;
    let mut waiting = Vec::new();
    for _ in 0..10 {
        waiting.push(
            server
                .ask(
                    "workspace/executeCommand",
                    json!({"command": "runpen.runFile", "arguments": [{"uri": URI, "wait": true}]}),
                )
                .await,
        );
    }
    let status = server.command("runpen.status", json!({})).await.unwrap();
    let runs = status["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 10);
    for run in runs {
        let input = json!({"runId": run["runId"], "text": "hello\n"});
        assert_eq!(server.command("runpen.sendInput", input).await, Ok(Value::Null));
    }
    for id in waiting {
        let answer = server.answer(id).await.unwrap();
        assert_eq!(answer["stdout"], "hello\ndone\n");
        server.events(answer["runId"].as_str().unwrap()).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn who_stops_waiting_stops_the_run() {
    let mut server = TestServer::start().await;
    server.open("out started\nhang\n").await;
    let id = server
        .ask(
            "workspace/executeCommand",
            json!({"command": "runpen.runFile", "arguments": [{"uri": URI, "wait": true}]}),
        )
        .await;
    let output = server.notification("runpen/output").await;
    server.notify("$/cancelRequest", json!({"id": id})).await;
    assert_eq!(server.answer(id).await.unwrap_err().0, -32800);
    let finished = server.finished(output["runId"].as_str().unwrap()).await;
    assert_eq!(finished["outcome"], "cancelled");
    server.finish().await;
}

#[tokio::test]
async fn input_reaches_the_program_until_its_end() {
    let mut server = TestServer::start().await;
    server.open("cat\n").await;
    let run_id = server.run_file().await;
    server.command("runpen.sendInput", json!({"runId": run_id, "text": "one\n"})).await.unwrap();
    assert_eq!(server.notification("runpen/output").await["text"], "one\n");
    server.command("runpen.sendInput", json!({"runId": run_id, "text": "two", "eof": true})).await.unwrap();
    let events = server.events(&run_id).await;
    assert_eq!(text(&events, "stdout"), "two");
    let late = server.command("runpen.sendInput", json!({"runId": run_id, "text": "x"})).await.unwrap_err();
    assert!(late.1.contains("it may have finished"));
    server.finish().await;
}

#[tokio::test]
async fn two_runs_of_one_file_are_two_runs() {
    let mut server = TestServer::start().await;
    server.open("read\n").await;
    let (first, second) = (server.run_file().await, server.run_file().await);
    assert_ne!(first, second);
    server.command("runpen.sendInput", json!({"runId": second, "text": "2"})).await.unwrap();
    assert_eq!(text(&server.events(&second).await, "stdout"), "2");
    server.command("runpen.cancel", json!({"runId": first})).await.unwrap();
    assert_eq!(server.finished(&first).await["outcome"], "cancelled");
    server.finish().await;
}

#[tokio::test]
async fn cancel_without_a_run_stops_all() {
    let mut server = TestServer::start().await;
    server.open("hang\n").await;
    let runs = [server.run_file().await, server.run_file().await, server.run_file().await];
    let none: Value = json!({"command": "runpen.cancel"});
    assert_eq!(server.request("workspace/executeCommand", none).await, Ok(Value::Null));
    for run_id in runs {
        assert_eq!(server.finished(&run_id).await["outcome"], "cancelled");
    }
    assert_eq!(server.command("runpen.cancel", json!({"runId": "gone"})).await, Ok(Value::Null));
    server.finish().await;
}

#[tokio::test]
async fn a_selection_runs_alone() {
    let mut server = TestServer::start().await;
    let document =
        json!({"uri": "file:///a.sh", "languageId": "shellscript", "version": 1, "text": "out 1\nout 2\nout 3\n"});
    server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    let selected = range([1, 0], [2, 0]);
    let answer =
        server.command("runpen.runSelection", json!({"uri": "file:///a.sh", "range": selected})).await.unwrap();
    let events = server.events(answer["runId"].as_str().unwrap()).await;
    assert_eq!(events[0]["range"], selected);
    assert_eq!(text(&events, "stdout"), "2\n");
    server.finish().await;
}

#[tokio::test]
async fn status_tells_the_engine_or_why_there_is_none() {
    let mut server = TestServer::start().await;
    let status = server.command("runpen.status", json!({})).await.unwrap();
    assert_eq!(status["engine"]["name"], "fake");
    assert!(
        status["images"]
            .as_array()
            .unwrap()
            .iter()
            .any(|image| image["language"] == "python" && image["present"] == true)
    );
    server.engine.set_unreachable(Some("connection refused"));
    let status = server.command("runpen.status", json!({})).await.unwrap();
    assert!(status.get("engine").is_none());
    assert!(status["error"].as_str().unwrap().contains("connection refused"));
    server.finish().await;
}
