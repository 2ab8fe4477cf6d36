//! Diagnostics: at the right line of the right version, and gone when they are no longer true.

use std::time::Duration;

use runpen::config::Span;
use serde_json::{Value, json};

use crate::harness::{TestServer, URI, range};

const METHOD: &str = "textDocument/publishDiagnostics";

/// A server on which a run that hangs is over at once.
async fn impatient() -> TestServer {
    let quick = Span(Duration::from_millis(30));
    TestServer::builder().settings(|settings| settings.settings.timeout = quick).start().await
}

/// Runs the document, which must leave one diagnostic.
async fn diagnosed(server: &mut TestServer) -> Value {
    let run_id = server.run_file().await;
    let published = server.notification(METHOD).await;
    server.events(&run_id).await;
    assert_eq!(published["diagnostics"].as_array().unwrap().len(), 1);
    published
}

#[tokio::test]
async fn a_broken_limit_stands_at_what_was_run_with_the_version() {
    let mut server = impatient().await;
    server.open("\nhang\n").await;
    server.change(7, [2, 0], [2, 0], "out never\n").await;
    let published = diagnosed(&mut server).await;
    assert_eq!((&published["uri"], &published["version"]), (&json!(URI), &json!(7)));
    let diagnostic = &published["diagnostics"][0];
    assert_eq!(diagnostic["range"], range([1, 0], [1, 4]));
    assert_eq!((&diagnostic["severity"], &diagnostic["source"]), (&json!(1), &json!("runpen")));
    assert_eq!(diagnostic["code"], "timed_out");
    assert!(diagnostic["message"].as_str().unwrap().contains("timeout"));
    server.finish().await;
}

#[tokio::test]
async fn memory_and_lost_engines_stand_there_too() {
    for (program, code) in [("oom", "out_of_memory"), ("die", "engine_failure"), ("signal 11", "signaled")] {
        let mut server = TestServer::start().await;
        server.open(program).await;
        let published = diagnosed(&mut server).await;
        assert_eq!(published["diagnostics"][0]["code"], code);
        server.forget();
        server.finish().await;
    }
}

#[tokio::test]
async fn an_edit_above_moves_them_and_one_at_their_line_takes_them_away() {
    let mut server = impatient().await;
    server.open("hang\nx\n").await;
    diagnosed(&mut server).await;
    server.change(2, [0, 0], [0, 0], "# new\n").await;
    let published = server.notification(METHOD).await;
    assert_eq!((&published["diagnostics"][0]["range"], &published["version"]), (&range([1, 0], [1, 4]), &json!(2)));
    // Moves nothing, so nothing is said.
    server.change(3, [0, 2], [0, 5], "old").await;
    server.change(4, [2, 0], [2, 1], "y").await;
    server.change(5, [1, 4], [1, 4], "!").await;
    let published = server.notification(METHOD).await;
    assert_eq!((&published["diagnostics"], &published["version"]), (&json!([]), &json!(5)));
    server.finish().await;
}

#[tokio::test]
async fn a_text_that_is_not_known_any_more_shows_none() {
    let mut server = impatient().await;
    server.open("hang\nx\n").await;
    diagnosed(&mut server).await;
    server.change(2, [9, 0], [9, 1], "?").await;
    assert_eq!(server.notification(METHOD).await["diagnostics"], json!([]));
    server.finish().await;
}

#[tokio::test]
async fn an_edit_during_the_run_counts() {
    let mut server = TestServer::builder()
        .settings(|settings| settings.settings.timeout = Span(Duration::from_millis(300)))
        .start()
        .await;
    server.open("out up\nhang\n").await;
    let run_id = server.run_file().await;
    server.notification("runpen/output").await;
    server.change(2, [0, 0], [0, 0], "# new\n").await;
    let published = server.notification(METHOD).await;
    assert_eq!((&published["diagnostics"][0]["range"], &published["version"]), (&range([1, 0], [1, 6]), &json!(2)));
    let finished = server.finished(&run_id).await;
    assert_eq!(finished["diagnostics"][0]["range"], range([0, 0], [0, 6]), "the event speaks of the text that ran");
    server.finish().await;
}

#[tokio::test]
async fn the_next_run_clear_and_close_take_them_away() {
    let mut server = impatient().await;
    server.open("hang\n").await;
    diagnosed(&mut server).await;
    server.change(2, [1, 0], [1, 0], "\n").await;
    let run_id = server.run_file().await;
    assert_eq!(server.notification(METHOD).await["diagnostics"], json!([]));
    server.events(&run_id).await;
    assert_eq!(server.notification(METHOD).await["diagnostics"].as_array().unwrap().len(), 1);
    server.command("runpen.clear", json!({"uri": URI})).await.unwrap();
    assert_eq!(server.notification(METHOD).await["diagnostics"], json!([]));
    diagnosed(&mut server).await;
    server.command("runpen.clear", json!({})).await.unwrap();
    assert_eq!(server.notification(METHOD).await["diagnostics"], json!([]));
    diagnosed(&mut server).await;
    server.notify("textDocument/didClose", json!({"textDocument": {"uri": URI}})).await;
    assert_eq!(server.notification(METHOD).await["diagnostics"], json!([]));
    server.finish().await;
}

#[tokio::test]
async fn everything_is_shown_when_finished_comes() {
    let mut server = impatient().await;
    server.open("hang\n").await;
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    assert_eq!(server.unread(), [METHOD]);
    server.forget();
    server.finish().await;
}
