//! Images ahead of need and on request.

use runpen::engine::EngineError;
use runpen::language::Languages;
use serde_json::{Value, json};

use crate::harness::{TestServer, URI};

fn image(language: &str) -> String {
    Languages::built_in().named(language).unwrap().image.clone()
}

/// A server that fetches the image of an open document, held, and the token of its progress.
async fn pulling() -> (TestServer, Value) {
    let mut server = TestServer::builder()
        .capabilities(json!({"window": {"workDoneProgress": true}}))
        .settings(|settings| {
            settings.settings.warm.enabled = true;
            settings.settings.warm.per_language = 0;
        })
        .start()
        .await;
    server.engine.set_missing(&image("python"));
    server.engine.hold_pulls(true);
    server.open("out 1\n").await;
    let token = server.respond("window/workDoneProgress/create", Ok(Value::Null)).await["token"].clone();
    (server, token)
}

#[tokio::test]
async fn what_an_open_document_needs_is_fetched_with_progress() {
    let (mut server, token) = pulling().await;
    let begin = server.notification("$/progress").await;
    assert_eq!(begin["token"], token);
    assert_eq!(begin["value"]["title"], format!("Fetch {}", image("python")));
    server.engine.hold_pulls(false);
    let mut last = begin;
    while last["value"]["kind"] != "end" {
        last = server.notification("$/progress").await;
    }
    assert_eq!(last["value"]["message"], format!("fetched {}", image("python")));
    let run_id = server.run_file().await;
    server.respond("window/workDoneProgress/create", Ok(Value::Null)).await;
    let events = server.events(&run_id).await;
    assert!(events.iter().all(|event| event["phase"] != "pull"), "{events:?}");
    assert_eq!(server.engine.pulls(), 1);
    while server.notification("$/progress").await["value"]["kind"] != "end" {}
    server.finish().await;
}

#[tokio::test]
async fn the_cancel_button_stops_a_pull_and_it_does_not_begin_by_itself_again() {
    let (mut server, token) = pulling().await;
    server.notification("$/progress").await;
    server.notify("window/workDoneProgress/cancel", json!({"token": token})).await;
    let mut last = Value::Null;
    while last["value"]["kind"] != "end" {
        last = server.notification("$/progress").await;
    }
    assert_eq!(last["value"]["message"], "cancelled");
    server.open("out 1\n").await;
    // The status is answered after the document was looked at.
    server.command("runpen.status", json!({})).await.unwrap();
    assert_eq!(server.engine.pulls(), 1);
    server.engine.hold_pulls(false);
    let answer = server.command("runpen.pullImages", json!({"wait": true})).await.unwrap();
    assert_eq!(answer["images"][0]["present"], true, "who asks for it gets it");
    assert_eq!(server.engine.pulls(), 2);
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn images_are_fetched_on_request_and_the_answer_says_which() {
    let mut server = TestServer::start().await;
    server.engine.set_missing(&image("python"));
    let argument = json!({"languages": ["py", "go"], "wait": true});
    let params = json!({"command": "runpen.pullImages", "arguments": [argument], "workDoneToken": "t"});
    let answer = server.request("workspace/executeCommand", params).await.unwrap();
    let expected = json!({"images": [
        {"language": "go", "image": image("go"), "present": true},
        {"language": "python", "image": image("python"), "present": true},
    ]});
    assert_eq!(answer, expected);
    let mut kinds = Vec::new();
    while kinds.last() != Some(&json!("end")) {
        let progress = server.notification("$/progress").await;
        assert_eq!(progress["token"], "t");
        kinds.push(progress["value"]["kind"].clone());
    }
    assert_eq!(kinds.first(), Some(&json!("begin")));
    let answer = server.command("runpen.pullImages", json!({})).await.unwrap();
    assert_eq!(answer, json!({"images": []}), "no document is open");
    let (code, message) = server.command("runpen.pullImages", json!({"languages": ["klingon"]})).await.unwrap_err();
    assert_eq!(code, -32602);
    assert!(message.starts_with("there is no language `klingon`; there are "), "{message}");
    server.finish().await;
}

#[tokio::test]
async fn an_image_that_does_not_come_is_said_in_one_line() {
    let mut server = TestServer::start().await;
    server.open("out 1\n").await;
    server.engine.set_missing(&image("python"));
    let [image, reason, advice] = ["x:1", "no such host", "it seems to be offline"].map(str::to_owned);
    server.engine.refuse_pull(EngineError::ImageMissing { image, reason, advice });
    let answer = server.command("runpen.pullImages", json!({"wait": true})).await.unwrap();
    let error = answer["images"][0]["error"].as_str().unwrap();
    assert!(error.contains("offline") && !error.contains('\n'), "{error}");
    assert_eq!(server.notification("window/logMessage").await["message"], error);
    server.engine.set_unreachable(Some("refused"));
    let answer = server.command("runpen.pullImages", json!({})).await.unwrap();
    assert!(answer["images"][0]["error"].as_str().unwrap().contains("refused"), "{answer}");
    server.engine.set_unreachable(None);
    let run = server.command("runpen.runFile", json!({"uri": URI, "wait": true})).await.unwrap();
    assert_eq!(run["outcome"], "exited");
    server.forget();
    server.finish().await;
}

#[tokio::test]
async fn who_stops_waiting_stops_the_pull() {
    let mut server = TestServer::start().await;
    server.open("out 1\n").await;
    server.engine.set_missing(&image("python"));
    server.engine.hold_pulls(true);
    let params = json!({"command": "runpen.pullImages", "arguments": [{"wait": true}], "workDoneToken": 3});
    let id = server.ask("workspace/executeCommand", params).await;
    assert_eq!(server.notification("$/progress").await["value"]["kind"], "begin");
    server.notify("$/cancelRequest", json!({"id": id})).await;
    assert_eq!(server.answer(id).await.unwrap_err().0, -32800);
    let mut last = Value::Null;
    while last["value"]["kind"] != "end" {
        last = server.notification("$/progress").await;
    }
    assert_eq!(last["value"]["message"], "cancelled");
    server.finish().await;
}
