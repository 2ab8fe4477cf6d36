//! Code blocks of documents.

use serde_json::{Value, json};

use crate::harness::{TestServer, position, range, text};

const PAGE: &str = "file:///work/page.md";

async fn open(server: &mut TestServer, text: &str) {
    let document = json!({"uri": PAGE, "languageId": "markdown", "version": 1, "text": text});
    server.notify("textDocument/didOpen", json!({"textDocument": document})).await;
}

async fn change(server: &mut TestServer, version: i32, start: [u32; 2], end: [u32; 2], text: &str) {
    let change = json!({"range": range(start, end), "text": text});
    let document = json!({"uri": PAGE, "version": version});
    server.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]})).await;
}

/// Runs the block on a line and waits for its end.
async fn run(server: &mut TestServer, line: u32) -> Value {
    let argument = json!({"uri": PAGE, "position": position([line, 0]), "wait": true});
    server.command("runpen.runBlock", argument).await.unwrap()
}

async fn lenses(server: &mut TestServer) -> Vec<(u64, String, Value)> {
    let answer = server.request("textDocument/codeLens", json!({"textDocument": {"uri": PAGE}})).await.unwrap();
    let lens = |lens: &Value| {
        let command = &lens["command"];
        let line = lens["range"]["start"]["line"].as_u64().unwrap();
        (line, command["title"].as_str().unwrap().to_owned(), command.clone())
    };
    answer.as_array().unwrap().iter().map(lens).collect()
}

async fn actions(server: &mut TestServer, line: u32) -> Vec<Value> {
    let params = json!({
        "textDocument": {"uri": PAGE}, "range": range([line, 0], [line, 0]), "context": {"diagnostics": []},
    });
    let answer = server.request("textDocument/codeAction", params).await.unwrap();
    answer.as_array().unwrap().clone()
}

fn titles(actions: &[Value]) -> Vec<&str> {
    actions.iter().map(|action| action["title"].as_str().unwrap()).collect()
}

fn capable() -> Value {
    json!({
        "workspace": {"workspaceEdit": {"documentChanges": true}},
        "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}},
    })
}

#[tokio::test]
async fn the_block_at_the_cursor_runs_and_its_lens_shows_the_result() {
    let mut server = TestServer::start().await;
    open(&mut server, "words\n\n- ```py\n  out 1\n  ```\n\n```py\nout 2\n```\n\n```json\n{}\n```\n").await;
    let shown: Vec<(u64, String)> =
        lenses(&mut server).await.into_iter().map(|(line, title, _)| (line, title)).collect();
    assert_eq!(shown, [(2, "▶ Run".to_owned()), (2, "▶ Run all blocks".to_owned()), (6, "▶ Run".to_owned())]);
    assert_eq!(server.engine.started(), 0, "opening a page and looking at it runs nothing");
    let command = lenses(&mut server).await.remove(0).2;
    assert_eq!(command["command"], "runpen.runBlock");
    let answer = server.command("runpen.runBlock", command["arguments"][0].clone()).await.unwrap();
    let events = server.events(answer["runId"].as_str().unwrap()).await;
    assert_eq!(text(&events, "stdout"), "1\n");
    assert_eq!(events[0]["range"], range([2, 2], [4, 5]));
    assert_eq!(run(&mut server, 8).await["stdout"], "2\n");
    let shown = lenses(&mut server).await;
    assert!(shown[0].1.starts_with("▶ Run · ✓ ") && shown[2].1.starts_with("▶ Run · ✓ "), "{shown:?}");
    let hint = json!({"textDocument": {"uri": PAGE}, "range": range([0, 0], [20, 0])});
    let hints = server.request("textDocument/inlayHint", hint).await.unwrap();
    let lines: Vec<&Value> = hints.as_array().unwrap().iter().map(|hint| &hint["position"]["line"]).collect();
    assert_eq!(lines, [4, 8], "under the block, at its end: {hints}");
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn a_selection_within_a_block_runs_by_itself() {
    let mut server = TestServer::start().await;
    open(&mut server, "words\n\n> - ```py\n>   out 1\n>     out 2\n>   out 3\n>   ```\n\n```klingon\nx\n```\n").await;
    let selection = |start: [u32; 2], end: [u32; 2]| json!({"uri": PAGE, "range": range(start, end), "wait": true});
    for (start, end, printed) in [
        // From the mark of the quote to the mark of the next line: neither is code, and the indentation goes.
        ([4, 0], [5, 0], "2\n"),
        ([3, 4], [3, 9], "1\n"),
        ([5, 2], [6, 2], "3\n"),
    ] {
        let answer = server.command("runpen.runSelection", selection(start, end)).await.unwrap();
        assert_eq!(answer["stdout"], printed, "{start:?}");
    }
    for (start, word) in [
        ([0, 0], "page.md: there is no code block on line 1"),
        ([9, 0], "page.md:10: the block cannot be run: its language `klingon` is not known"),
    ] {
        let (_, message) = server.command("runpen.runSelection", selection(start, [9, 1])).await.unwrap_err();
        assert_eq!(message, word);
    }
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn wrong_places_are_refused_with_one_clear_line() {
    let mut server = TestServer::start().await;
    open(&mut server, "words\n\n```klingon\nx\n```\n\n```\nx\n```\n").await;
    server.open("out 1\n").await;
    for (uri, line, word) in [
        (PAGE, 0, "page.md: there is no code block on line 1"),
        (PAGE, 99, "line 99 lies outside the document, which has 10 lines"),
        (PAGE, 3, "page.md:3: the language `klingon` is not known; there are "),
        (PAGE, 7, "page.md:7: the block names no language"),
        ("file:///work/a.txt", 0, "failed to read"),
    ] {
        let argument = json!({"uri": uri, "position": position([line, 0])});
        let (code, message) = server.command("runpen.runBlock", argument).await.unwrap_err();
        assert_eq!(code, -32602, "{message}");
        assert!(message.contains(word) && !message.contains('\n'), "{message}");
    }
    assert!(lenses(&mut server).await.is_empty(), "no lens where nothing can run");
    assert_eq!(server.engine.started(), 0);
    server.finish().await;
}

#[tokio::test]
async fn all_blocks_run_and_what_does_not_is_named() {
    let mut server = TestServer::start().await;
    open(&mut server, "```py\nout 1\n```\n```json\n{}\n```\n```py ignore\nout 2\n```\n```py\nout 3\nexit 3\n```\n")
        .await;
    let answer = server.command("runpen.runAllBlocks", json!({"uri": PAGE, "wait": true})).await.unwrap();
    let finished = answer["finished"].as_array().unwrap();
    let seen: Vec<(&str, u64)> =
        finished.iter().map(|end| (end["stdout"].as_str().unwrap(), end["exitCode"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("1\n", 0), ("3\n", 3)]);
    let reasons: Vec<&str> =
        answer["skipped"].as_array().unwrap().iter().map(|skipped| skipped["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["its language `json` is not known", "it says `ignore`"]);
    assert_eq!(answer["runs"][1]["range"], range([9, 0], [12, 3]));
    let answer = server.command("runpen.runAllBlocks", json!({"uri": PAGE})).await.unwrap();
    for run in answer["runs"].as_array().unwrap() {
        server.finished(run["runId"].as_str().unwrap()).await;
    }
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn all_blocks_together_can_be_cancelled_by_their_progress() {
    let mut server = TestServer::start().await;
    open(&mut server, &"```py\nout up\nhang\n```\n".repeat(5)).await;
    let params = json!({"command": "runpen.runAllBlocks", "arguments": [{"uri": PAGE}], "workDoneToken": "all"});
    let answer = server.request("workspace/executeCommand", params).await.unwrap();
    server.notification("runpen/output").await;
    assert!(server.engine.started() <= 2, "they take turns");
    server.notify("window/workDoneProgress/cancel", json!({"token": "all"})).await;
    for run in answer["runs"].as_array().unwrap() {
        assert_eq!(server.finished(run["runId"].as_str().unwrap()).await["outcome"], "cancelled");
    }
    let last = server.take(|message| message["params"]["value"]["kind"] == "end").await;
    assert_eq!(last["params"]["token"], "all");
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn a_promise_that_is_not_kept_is_a_warning_with_one_fix() {
    let mut server = TestServer::builder().capabilities(capable()).start().await;
    open(&mut server, "> ```py\n> out new\n> ```\n>\n> ```output\n> old\n> ```\n").await;
    let finished = run(&mut server, 1).await;
    let warning = &finished["diagnostics"][0];
    assert_eq!(warning["code"], "output-differs");
    assert_eq!(warning["severity"], "warning");
    assert_eq!(warning["range"], range([5, 0], [5, 5]));
    let offered = actions(&mut server, 5).await;
    assert_eq!(titles(&offered).iter().filter(|title| title.contains("output")).count(), 1, "{offered:?}");
    // Typing above moves the fix along with its text.
    change(&mut server, 2, [0, 0], [0, 0], "top\n\n").await;
    let offered = actions(&mut server, 7).await;
    let fix = offered.iter().find(|action| action["kind"] == "quickfix").unwrap();
    let changes = &fix["edit"]["documentChanges"][0];
    assert_eq!(changes["textDocument"], json!({"uri": PAGE, "version": 2}));
    assert_eq!(changes["edits"], json!([{"range": range([7, 0], [7, 5]), "newText": "> new"}]));
    // Typing in it takes it away.
    change(&mut server, 3, [7, 2], [7, 3], "x").await;
    assert!(actions(&mut server, 7).await.iter().all(|action| action["kind"] != "quickfix"));
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn output_is_inserted_below_where_none_is_promised() {
    let mut server = TestServer::builder().capabilities(capable()).start().await;
    open(&mut server, "1. ```py\n   out 1\n   ```\n").await;
    run(&mut server, 0).await;
    let offered = actions(&mut server, 1).await;
    let insert = offered.iter().find(|action| action["kind"] == "runpen.insert").unwrap();
    let edits = &insert["edit"]["documentChanges"][0]["edits"];
    assert_eq!(edits, &json!([{"range": range([2, 6], [2, 6]), "newText": "\n\n   ```output\n   1\n   ```"}]));
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn what_a_page_asks_for_in_vain_is_said_and_not_granted() {
    let mut server = TestServer::start().await;
    open(&mut server, "```py network=bridge memory=4G timeout=1h\nout 1\n```\n").await;
    let finished = run(&mut server, 1).await;
    let said: Vec<&str> =
        finished["diagnostics"].as_array().unwrap().iter().map(|said| said["message"].as_str().unwrap()).collect();
    assert!(said[0].starts_with("refused: network=bridge ") && said[1].starts_with("refused: memory=4G "), "{said:?}");
    assert_eq!(finished["diagnostics"][0]["severity"], "information");
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn a_time_out_of_a_page_only_tightens() {
    let settings = |wanted: std::time::Duration| {
        TestServer::builder().settings(move |settings| {
            settings.settings.timeout = runpen::config::Span(wanted);
        })
    };
    for (limit, asked) in [("20s", "200ms"), ("200ms", "20s")] {
        let mut server = settings(limit.parse::<runpen::config::Span>().unwrap().duration()).start().await;
        open(&mut server, &format!("```py timeout={asked}\nhang\n```\n")).await;
        let finished = run(&mut server, 1).await;
        assert_eq!(finished["outcome"], "timed_out");
        assert!(finished["error"].as_str().unwrap().contains("200ms"), "{finished}");
        server.forget();
        server.finish().await;
    }
}

#[tokio::test]
async fn a_page_edited_while_its_block_runs_never_shows_the_result_at_a_wrong_line() {
    let mut server = TestServer::start().await;
    open(&mut server, "```py\nout 1\nread\n```\n\nend\n").await;
    let argument = json!({"uri": PAGE, "position": position([1, 0])});
    let run_id = server.command("runpen.runBlock", argument).await.unwrap()["runId"].as_str().unwrap().to_owned();
    server.notification("runpen/output").await;
    change(&mut server, 2, [0, 0], [0, 0], "one\ntwo\n").await;
    server.command("runpen.sendInput", json!({"runId": run_id, "text": "x\n", "eof": true})).await.unwrap();
    server.finished(&run_id).await;
    let hint = json!({"textDocument": {"uri": PAGE}, "range": range([0, 0], [20, 0])});
    let hints = server.request("textDocument/inlayHint", hint.clone()).await.unwrap();
    assert_eq!(hints[0]["position"]["line"], 5);
    assert!(lenses(&mut server).await[0].1.contains('✓'));
    // An edit of the code: what was printed is no longer what it prints.
    change(&mut server, 3, [3, 0], [3, 3], "err").await;
    assert_eq!(server.request("textDocument/inlayHint", hint).await.unwrap(), json!([]));
    assert_eq!(lenses(&mut server).await[0].1, "▶ Run");
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn a_page_that_is_too_large_is_refused_and_the_server_lives() {
    let mut server = TestServer::start().await;
    open(&mut server, &"```py\nout 1\n```\n".repeat(9 * 1024 * 1024 / 16)).await;
    assert!(lenses(&mut server).await.is_empty());
    let argument = json!({"uri": PAGE, "position": position([1, 0])});
    let (_, message) = server.command("runpen.runBlock", argument).await.unwrap_err();
    assert!(message.contains("is larger than 8 MiB"), "{message}");
    server.finish().await;
}
