//! Work-done progress with a cancel button that works.

use serde_json::{Value, json};

use crate::harness::{TestServer, URI};

async fn with_progress() -> TestServer {
    TestServer::builder().capabilities(json!({"window": {"workDoneProgress": true}})).start().await
}

#[tokio::test]
async fn the_cancel_button_stops_the_run() {
    let mut server = with_progress().await;
    server.open("out up\nhang\n").await;
    let run_id = server.run_file().await;
    let token = server.respond("window/workDoneProgress/create", Ok(Value::Null)).await["token"].clone();
    let begin = server.notification("$/progress").await;
    assert_eq!(begin["token"], token);
    assert_eq!((&begin["value"]["kind"], &begin["value"]["title"]), (&json!("begin"), &json!("Run story.py")));
    assert_eq!(begin["value"]["cancellable"], true);
    server.notification("runpen/output").await;
    server.notify("window/workDoneProgress/cancel", json!({"token": token})).await;
    let finished = server.finished(&run_id).await;
    assert_eq!(finished["outcome"], "cancelled");
    let last = server.unread().len();
    for left in (0..last).rev() {
        let value = server.notification("$/progress").await["value"].clone();
        assert_eq!(value["kind"] == "end", left == 0, "{value}");
    }
    server.notify("window/workDoneProgress/cancel", json!({"token": token})).await;
    server.finish().await;
}

#[tokio::test]
async fn a_slow_client_sees_begin_and_end_and_nobody_waits_for_it() {
    let mut server = with_progress().await;
    server.open("out 42\n").await;
    let run_id = server.run_file().await;
    assert_eq!(server.finished(&run_id).await["outcome"], "exited");
    server.respond("window/workDoneProgress/create", Ok(Value::Null)).await;
    assert_eq!(server.notification("$/progress").await["value"]["kind"], "begin");
    let end = server.notification("$/progress").await;
    assert_eq!(end["value"]["kind"], "end");
    assert!(end["value"]["message"].as_str().unwrap().ends_with("· 42"));
    server.finish().await;
}

#[tokio::test]
async fn a_client_that_refuses_gets_none() {
    let mut server = with_progress().await;
    server.open("out 42\n").await;
    let run_id = server.run_file().await;
    server.respond("window/workDoneProgress/create", Err(json!({"code": -32601, "message": "no", "more": 1}))).await;
    server.finished(&run_id).await;
    server.finish().await;
}

#[tokio::test]
async fn the_clients_own_token_is_used() {
    let mut server = with_progress().await;
    server.open("out 42\n").await;
    let params = json!({"command": "runpen.runFile", "arguments": [{"uri": URI, "wait": true}], "workDoneToken": 7});
    let answer = server.request("workspace/executeCommand", params).await.unwrap();
    server.finished(answer["runId"].as_str().unwrap()).await;
    let mut kinds = Vec::new();
    while kinds.last() != Some(&json!("end")) {
        let progress = server.notification("$/progress").await;
        assert_eq!(progress["token"], 7);
        kinds.push(progress["value"]["kind"].clone());
    }
    assert_eq!(kinds, ["begin", "report", "end"]);
    server.finish().await;
}

#[tokio::test]
async fn a_pull_is_named() {
    let mut server = TestServer::start().await;
    let image = runpen::language::Languages::built_in().named("python").unwrap().image.clone();
    server.engine.set_missing(&image);
    server.open("out 42\n").await;
    let params = json!({"command": "runpen.runFile", "arguments": [{"uri": URI}], "workDoneToken": "t"});
    let answer = server.request("workspace/executeCommand", params).await.unwrap();
    server.finished(answer["runId"].as_str().unwrap()).await;
    assert_eq!(server.notification("$/progress").await["value"]["kind"], "begin");
    assert_eq!(server.notification("$/progress").await["value"]["message"], format!("pulling {image}"));
    server.forget();
    server.finish().await;
}
