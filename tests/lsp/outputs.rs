//! All that a run printed, opened by the editor: `window/showDocument`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Builder, TestServer, URI, range};
use crate::results::{actions, titles};

fn shows() -> Builder {
    TestServer::builder().capabilities(json!({"window": {"showDocument": {"support": true}}}))
}

/// Runs the document to its end.
async fn run(server: &mut TestServer) -> String {
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    run_id
}

/// The action that shows the output, if there is one.
async fn action(server: &mut TestServer) -> Option<Value> {
    let found = actions(server, [0, 0], json!({"diagnostics": []})).await;
    found.into_iter().find(|action| action["title"] == "Show output")
}

/// Calls a command, and gives the file that the client is asked to open before the answer comes.
async fn opened(server: &mut TestServer, call: &Value, success: bool) -> PathBuf {
    let id = server.ask("workspace/executeCommand", call.clone()).await;
    let asked = server.respond("window/showDocument", Ok(json!({"success": success}))).await;
    assert_eq!(server.answer(id).await, Ok(Value::Null));
    assert_eq!(asked.as_object().unwrap().len(), 1, "nothing is said of focus: {asked}");
    PathBuf::from(asked["uri"].as_str().unwrap().strip_prefix("file://").unwrap())
}

/// A call of the command itself.
fn call(argument: &Value) -> Value {
    json!({"command": "runpen.showOutput", "arguments": [argument]})
}

fn files(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}

#[tokio::test]
async fn all_that_the_last_run_printed_is_opened_and_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = shows().outputs(folder.path()).start().await;
    server.open("out 1\nerr \u{1b}[31m2\nout vim: set ft=sh:\nexit 3\n").await;
    assert_eq!(action(&mut server).await, None, "nothing ran");
    let run_id = run(&mut server).await;
    let found = actions(&mut server, [0, 0], json!({"diagnostics": []})).await;
    assert_eq!(titles(&found), ["Run file in sandbox", "Show output", "Clear results"]);
    let action = action(&mut server).await.unwrap();
    assert_eq!(action["arguments"], json!([{"uri": URI, "runId": run_id}]));
    let path = opened(&mut server, &action, true).await;
    assert!(
        path.starts_with(folder.path()) && path.extension().is_some_and(|extension| extension == "txt"),
        "{path:?}"
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("Runpen · Python · ✗ exit 3"), "{text}");
    assert!(text.ends_with("\n\n1\n2\nvim\u{2060}: set ft=sh:\n"), "{text:?}");
    // Edits do not make untrue what a run printed, and the same run is the same file.
    server.change(2, [0, 0], [0, 0], "#").await;
    assert_eq!(opened(&mut server, &call(&json!({"uri": URI})), true).await, path);
    let next = run(&mut server).await;
    assert_ne!(opened(&mut server, &call(&json!({"uri": URI, "runId": next})), true).await, path);
    server.finish().await;
    assert_eq!(files(folder.path()), 0);
}

#[tokio::test]
async fn each_block_of_a_page_shows_its_own_output() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = shows().outputs(folder.path()).start().await;
    let text = "```python\nout one\n```\n\n```python\nout two\n```\n";
    let uri = "file:///work/page.md";
    let document = json!({"uri": uri, "languageId": "markdown", "version": 1, "text": text});
    server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    let answer = server.command("runpen.runAllBlocks", json!({"uri": uri, "wait": true})).await.unwrap();
    let runs: Vec<&str> = answer["runs"].as_array().unwrap().iter().map(|run| run["runId"].as_str().unwrap()).collect();
    for run_id in &runs {
        server.finished(run_id).await;
    }
    for (line, run_id) in [(1, runs[0]), (5, runs[1])] {
        let (document, range) = (json!({"uri": uri}), range([line, 0], [line, 0]));
        let params = json!({"textDocument": document, "range": range, "context": {"diagnostics": []}});
        let found = server.request("textDocument/codeAction", params).await.unwrap();
        let show = found.as_array().unwrap().iter().find(|action| action["title"] == "Show output").unwrap();
        assert_eq!(show["arguments"][0]["runId"], run_id);
        let shown = std::fs::read_to_string(opened(&mut server, show, true).await).unwrap();
        assert!(shown.ends_with(if line == 1 { "\n\none\n" } else { "\n\ntwo\n" }), "{shown}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_client_that_cannot_show_it_has_no_action_and_gets_one_line() {
    let cannot = "output cannot be shown: the editor does not offer `window/showDocument`";
    let off = "output is not kept: `presentation.output` is off";
    let presentation = json!({"presentation": {"output": false}});
    for (builder, refusal) in [(TestServer::builder(), cannot), (shows().options(presentation), off)] {
        let mut server = builder.start().await;
        server.open("out 1\n").await;
        run(&mut server).await;
        assert_eq!(action(&mut server).await, None);
        let answer = server.command("runpen.showOutput", json!({"uri": URI})).await;
        assert_eq!(answer, Err((-32602, refusal.to_owned())));
        server.finish().await;
    }
}

#[tokio::test]
async fn a_user_can_vouch_for_a_client_that_announces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = json!({"presentation": {"output": true}});
    let mut server = TestServer::builder().options(options).outputs(folder.path()).start().await;
    server.open("out 1\n").await;
    run(&mut server).await;
    let action = action(&mut server).await.unwrap();
    assert!(opened(&mut server, &action, true).await.is_file());
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_shown_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("output");
    std::fs::write(&taken, "").unwrap();
    let mut server = shows().outputs(&taken).start().await;
    server.open("out 1\n").await;
    let ask = json!({"uri": URI});
    let answer = server.command("runpen.showOutput", ask.clone()).await;
    assert_eq!(answer, Err((-32602, "no output of a run of story.py is kept; run it again".to_owned())));
    let answer = server.command("runpen.showOutput", json!({"uri": URI, "runId": "x"})).await;
    assert_eq!(answer, Err((-32602, "no output of the run `x` of story.py is kept; run it again".to_owned())));
    run(&mut server).await;
    let (code, message) = server.command("runpen.showOutput", ask.clone()).await.unwrap_err();
    assert!(code == -32603 && message.ends_with("output: it is not a folder; remove it"), "{code} {message}");
    std::fs::remove_file(&taken).unwrap();
    let path = opened(&mut server, &call(&ask), false).await;
    let logged = server.notification("window/logMessage").await;
    assert_eq!(logged["message"], format!("the editor did not show {}", path.display()));
    // A client that answers late is not waited for.
    server.command("runpen.showOutput", ask.clone()).await.unwrap();
    server.respond("window/showDocument", Ok(json!({"success": true}))).await;
    server.command("runpen.clear", ask.clone()).await.unwrap();
    assert!(server.command("runpen.showOutput", ask).await.is_err());
    server.finish().await;
}
