//! Which text runs.

use serde_json::{Value, json};

use crate::harness::{TestServer, URI, range, text};

async fn output(server: &mut TestServer) -> String {
    let run_id = server.run_file().await;
    text(&server.events(&run_id).await, "stdout")
}

#[tokio::test]
async fn unsaved_text_is_what_runs() {
    let mut server = TestServer::start().await;
    server.open("out saved\n").await;
    server.change(2, [0, 4], [0, 9], "unsaved 😀").await;
    server.change(3, [0, 14], [0, 14], "!").await;
    assert_eq!(output(&mut server).await, "unsaved 😀!\n");
    server.finish().await;
}

#[tokio::test]
async fn a_run_keeps_the_text_it_was_asked_for() {
    let mut server = TestServer::start().await;
    server.open("out before\n").await;
    let id =
        server.ask("workspace/executeCommand", json!({"command": "runpen.runFile", "arguments": [{"uri": URI}]})).await;
    server.change(2, [0, 4], [0, 10], "after").await;
    let answer = server.answer(id).await.unwrap();
    let events = server.events(answer["runId"].as_str().unwrap()).await;
    assert_eq!(text(&events, "stdout"), "before\n");
    server.finish().await;
}

#[tokio::test]
async fn a_document_that_was_never_opened_is_read_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a file.py");
    std::fs::write(&path, "out from disk\n").unwrap();
    let mut server = TestServer::start().await;
    let uri = format!("file://{}", path.display()).replace(' ', "%20");
    let answer = server.command("runpen.runFile", json!({"uri": uri, "wait": true})).await.unwrap();
    assert_eq!(answer["stdout"], "from disk\n");
    let events = server.events(answer["runId"].as_str().unwrap()).await;
    assert_eq!(events[0]["uri"], uri);
    server.finish().await;
}

#[tokio::test]
async fn files_beside_a_document_are_as_the_editor_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let uri = |name: &str| format!("file://{}/{name}", folder.path().display());
    for name in ["main.py", "helper.py", "other.py"] {
        std::fs::write(folder.path().join(name), format!("out {name} on disk\n")).unwrap();
    }
    let mut server = TestServer::start().await;
    for (name, text) in [("main.py", "out main\n"), ("helper.py", "out edited\n"), ("fresh.py", "out never saved\n")] {
        let document = json!({"uri": uri(name), "languageId": "python", "version": 1, "text": text});
        server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    }
    for (beside, stdout) in [
        (json!({}), "main\n"),
        (json!({"folder": true}), "main\nedited\nother.py on disk\n"),
        (json!({"files": []}), "main\n"),
        (json!({"files": ["helper.py"]}), "main\nedited\n"),
        (json!({"files": ["./other.py", "main.py"]}), "main\nother.py on disk\n"),
    ] {
        let mut argument = beside.clone();
        argument["uri"] = uri("main.py").into();
        argument["wait"] = true.into();
        let answer = server.command("runpen.runFile", argument).await.unwrap();
        assert_eq!(answer["stdout"], stdout, "{beside}");
        server.events(answer["runId"].as_str().unwrap()).await;
    }
    for (beside, reason) in [
        (json!({"files": ["../x.py"]}), "../x.py is no file to send along from "),
        (json!({"files": ["fresh.py"]}), "fresh.py is no file to send along from "),
        (json!({"files": ["other.py"], "folder": true}), "runpen.runFile takes `folder` or `files`, not both"),
    ] {
        let mut argument = beside.clone();
        argument["uri"] = uri("main.py").into();
        let (code, message) = server.command("runpen.runFile", argument).await.unwrap_err();
        assert!(code == -32602 && message.starts_with(reason), "{beside}: {message}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("binary.py"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::write(folder.path().join("empty.py"), "").unwrap();
    std::fs::write(folder.path().join("unknown"), "out 1").unwrap();
    let huge = std::fs::File::create(folder.path().join("huge.py")).unwrap();
    huge.set_len(50 << 20).unwrap();
    let mut server = TestServer::start().await;
    for (name, reason) in [
        ("none.py", "No such file"),
        ("", "it is a folder"),
        ("binary.py", "is not text in UTF-8"),
        ("huge.py", "is larger than 8 MiB"),
        ("empty.py", "there is nothing to run"),
        ("unknown", "the language of unknown is not known"),
    ] {
        let uri = format!("file://{}/{name}", folder.path().display());
        let (code, message) = server.command("runpen.runFile", json!({"uri": uri})).await.unwrap_err();
        assert_eq!(code, -32602);
        assert!(message.contains(reason) && !message.contains('\n'), "{name}: {message}");
    }
    server.finish().await;
}

#[tokio::test]
async fn the_language_is_the_editors_else_the_extensions_else_the_shebangs() {
    let mut server = TestServer::start().await;
    for (uri, language_id, body, language) in [
        ("file:///a.py", "shellscript", "out 1", "shell"),
        ("file:///b.go", "plaintext", "out 1", "go"),
        ("untitled:Untitled-1", "plaintext", "#!/usr/bin/env python3\nout 1", "python"),
    ] {
        let document = json!({"uri": uri, "languageId": language_id, "version": 1, "text": body});
        server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
        let answer = server.command("runpen.runFile", json!({"uri": uri})).await.unwrap();
        let events = server.events(answer["runId"].as_str().unwrap()).await;
        assert_eq!(events[0]["language"], language, "{uri}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_change_outside_the_document_is_survived_and_told() {
    let mut server = TestServer::start().await;
    server.open("out 1\n").await;
    server.change(2, [7, 0], [8, 0], "x").await;
    let (_, message) = server.command("runpen.runFile", json!({"uri": URI})).await.unwrap_err();
    assert_eq!(message, "the editor and Runpen disagree about the text of story.py; close it and open it again");
    let whole = json!({"textDocument": {"uri": URI, "version": 3}, "contentChanges": [{"text": "out 2\n"}]});
    server.notify("textDocument/didChange", whole).await;
    assert_eq!(output(&mut server).await, "2\n");
    server.finish().await;
}

#[tokio::test]
async fn changes_to_unknown_documents_and_nonsense_are_survived() {
    let mut server = TestServer::start().await;
    server.change(2, [0, 0], [0, 0], "x").await;
    server.notify("textDocument/didClose", json!({"textDocument": {"uri": URI}})).await;
    server.notify("textDocument/didOpen", json!({"textDocument": 7})).await;
    server.notify("textDocument/didChange", Value::Null).await;
    server.notify("no/such/method", json!([1])).await;
    server.open("out 1\n").await;
    let backwards = json!({"range": range([0, 3], [0, 1]), "text": ""});
    server
        .notify(
            "textDocument/didChange",
            json!({"textDocument": {"uri": URI, "version": 2}, "contentChanges": [backwards]}),
        )
        .await;
    assert!(server.command("runpen.runFile", json!({"uri": URI})).await.is_err());
    server.open("out 2\n").await;
    assert_eq!(output(&mut server).await, "2\n");
    server.finish().await;
}
