//! Lenses, actions, hints and hover: what a client sees that knows nothing of Runpen.

use serde_json::{Value, json};

use crate::harness::{TestServer, URI, position, range};

async fn lenses(server: &mut TestServer) -> Vec<Value> {
    let lenses = server.request("textDocument/codeLens", json!({"textDocument": {"uri": URI}})).await.unwrap();
    lenses.as_array().unwrap().iter().map(|lens| lens["command"].clone()).collect()
}

pub(crate) async fn actions(server: &mut TestServer, end: [u32; 2], context: Value) -> Vec<Value> {
    let params = json!({"textDocument": {"uri": URI}, "range": range([0, 0], end), "context": context});
    server.request("textDocument/codeAction", params).await.unwrap().as_array().unwrap().clone()
}

async fn hints(server: &mut TestServer) -> Vec<Value> {
    let params = json!({"textDocument": {"uri": URI}, "range": range([0, 0], [99, 0])});
    server.request("textDocument/inlayHint", params).await.unwrap().as_array().unwrap().clone()
}

async fn hover(server: &mut TestServer, line: u32) -> Value {
    let params = json!({"textDocument": {"uri": URI}, "position": position([line, 0])});
    server.request("textDocument/hover", params).await.unwrap()
}

pub(crate) fn titles(commands: &[Value]) -> Vec<&str> {
    commands.iter().map(|command| command["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lenses_run_stop_and_tell_the_outcome() {
    let mut server = TestServer::start().await;
    server.open("out 1\nhang\n").await;
    let before = lenses(&mut server).await;
    assert_eq!(titles(&before), ["▶ Run in sandbox"]);
    let answer = server.request("workspace/executeCommand", before[0].clone()).await.unwrap();
    let run_id = answer["runId"].as_str().unwrap().to_owned();
    let during = lenses(&mut server).await;
    assert_eq!(titles(&during), ["■ Stop"]);
    server.request("workspace/executeCommand", during[0].clone()).await.unwrap();
    server.finished(&run_id).await;
    let after = lenses(&mut server).await;
    assert!(titles(&after)[0].starts_with("▶ Run in sandbox · ■ stopped"), "{after:?}");
    assert_eq!(titles(&after)[1], "Clear");
    server.request("workspace/executeCommand", after[1].clone()).await.unwrap();
    assert_eq!(titles(&lenses(&mut server).await), ["▶ Run in sandbox"]);
    server.finish().await;
}

#[tokio::test]
async fn a_document_that_cannot_run_has_no_lens() {
    let mut server = TestServer::start().await;
    let document = json!({"uri": "file:///notes.txt", "languageId": "plaintext", "version": 1, "text": "hello"});
    server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    for uri in ["file:///notes.txt", "file:///never-opened.py"] {
        let answer = server.request("textDocument/codeLens", json!({"textDocument": {"uri": uri}})).await;
        assert_eq!(answer, Ok(json!([])));
    }
    server.finish().await;
}

#[tokio::test]
async fn every_lens_is_also_an_action() {
    let capabilities =
        json!({"textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}}});
    let mut server = TestServer::builder().capabilities(capabilities).start().await;
    server.open("out 1\nhang\n").await;
    let context = json!({"diagnostics": []});
    assert_eq!(titles(&actions(&mut server, [0, 0], context.clone()).await), ["Run file in sandbox"]);
    // The character under the cursor of Helix and Kakoune is none that anybody selected.
    assert_eq!(titles(&actions(&mut server, [0, 1], context.clone()).await), ["Run file in sandbox"]);
    let found = actions(&mut server, [0, 5], context.clone()).await;
    assert_eq!(titles(&found), ["Run selection in sandbox", "Run file in sandbox"]);
    assert_eq!(found[0]["kind"], "runpen.run");
    assert_eq!(found[0]["command"]["arguments"], json!([{"uri": URI, "range": range([0, 0], [0, 5])}]));
    let answer = server.request("workspace/executeCommand", found[1]["command"].clone()).await.unwrap();
    let found = actions(&mut server, [0, 0], context.clone()).await;
    assert_eq!(titles(&found), ["Run file in sandbox", "Stop"]);
    server.request("workspace/executeCommand", found[1]["command"].clone()).await.unwrap();
    server.finished(answer["runId"].as_str().unwrap()).await;
    let found = actions(&mut server, [0, 0], context).await;
    assert_eq!(titles(&found), ["Run file in sandbox", "Clear results"]);
    let only = json!({"diagnostics": [], "only": ["quickfix", "source"]});
    assert!(actions(&mut server, [0, 5], only).await.is_empty());
    let only = json!({"diagnostics": [], "only": ["runpen.clear"]});
    assert_eq!(titles(&actions(&mut server, [0, 5], only).await), ["Clear results"]);
    let automatic = json!({"diagnostics": [], "triggerKind": 2});
    assert!(actions(&mut server, [0, 0], automatic).await.is_empty());
    server.finish().await;
}

#[tokio::test]
async fn an_old_client_gets_bare_commands() {
    let mut server = TestServer::start().await;
    server.open("out 1\n").await;
    let found = actions(&mut server, [0, 0], json!({"diagnostics": []})).await;
    assert_eq!(found[0]["command"], "runpen.runFile");
    server.finish().await;
}

#[tokio::test]
async fn the_result_is_a_hint_at_the_line_and_whole_on_hover() {
    let mut server = TestServer::start().await;
    server.open("\nout ```42\nout **more**\nexit 1\n").await;
    assert!(hints(&mut server).await.is_empty());
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    let found = hints(&mut server).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["position"], position([1, 9]));
    let label = found[0]["label"].as_str().unwrap();
    assert!(label.starts_with("✗ exit 1 ") && label.ends_with(" ms · ```42"), "{label}");
    let shown = hover(&mut server, 1).await;
    let value = shown["contents"]["value"].as_str().unwrap();
    assert_eq!(shown["contents"]["kind"], "markdown");
    assert!(value.contains("\n````text\n```42\n**more**\n````\n"), "{value}");
    assert_eq!(hover(&mut server, 0).await, Value::Null);
    // An edit above moves it, one of its line takes it away.
    server.change(2, [0, 0], [0, 0], "\n").await;
    assert_eq!(hints(&mut server).await[0]["position"], position([2, 9]));
    server.change(3, [2, 0], [2, 0], "#").await;
    assert!(hints(&mut server).await.is_empty());
    assert_eq!(hover(&mut server, 2).await, Value::Null);
    server.finish().await;
}

#[tokio::test]
async fn a_selections_result_stands_at_its_last_line() {
    let mut server = TestServer::start().await;
    server.open("out 1\nout 2\n\nout 3\n").await;
    let selection = json!({"uri": URI, "range": range([0, 0], [3, 0])});
    let answer = server.command("runpen.runSelection", selection).await.unwrap();
    server.finished(answer["runId"].as_str().unwrap()).await;
    assert_eq!(hints(&mut server).await[0]["position"], position([1, 5]));
    server.change(2, [0, 4], [0, 5], "9").await;
    assert!(hints(&mut server).await.is_empty(), "what was selected is not what is there");
    server.finish().await;
}

#[tokio::test]
async fn hover_is_plain_for_a_client_without_markdown() {
    let capabilities = json!({"textDocument": {"hover": {"contentFormat": ["plaintext"]}}});
    let mut server = TestServer::builder().capabilities(capabilities).start().await;
    server.open("out 42\n").await;
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    let shown = hover(&mut server, 0).await;
    assert_eq!(shown["contents"]["kind"], "plaintext");
    let value = shown["contents"]["value"].as_str().unwrap();
    assert!(value.starts_with("Runpen · Python · ✓ ") && value.ends_with("\nstdout\n42"), "{value}");
    server.finish().await;
}

#[tokio::test]
async fn clients_that_can_are_told_to_ask_again_and_may_refuse() {
    let capabilities =
        json!({"workspace": {"codeLens": {"refreshSupport": true}, "inlayHint": {"refreshSupport": true}}});
    let mut server = TestServer::builder().capabilities(capabilities).start().await;
    server.open("out 1\n").await;
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    for _ in 0..2 {
        server.respond("workspace/codeLens/refresh", Err(json!({"code": -32601, "message": "no"}))).await;
        server.respond("workspace/inlayHint/refresh", Ok(Value::Null)).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn a_plugin_turns_off_what_it_shows_itself() {
    let options = json!({"presentation": {"codeLens": false, "inlayHints": false, "hover": false}});
    let mut server = TestServer::builder().options(options).start().await;
    server.open("out 1\n").await;
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    assert!(lenses(&mut server).await.is_empty() && hints(&mut server).await.is_empty());
    assert_eq!(hover(&mut server, 0).await, Value::Null);
    server.finish().await;
}
