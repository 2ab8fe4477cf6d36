//! What is said of the engine without being asked.

use serde_json::json;

use crate::harness::{TestServer, URI};

#[tokio::test]
async fn nothing_is_said_of_the_engine_before_a_document_is_opened() {
    let mut server = TestServer::start().await;
    let status = server.command("runpen.clear", json!({})).await.unwrap();
    assert!(status.is_null());
    assert_eq!(server.engine.asked(), 0);
    server.open("out 1").await;
    let standing = server.standing(|_| true).await;
    let engine = json!({"name": "fake", "version": "1", "endpoint": "memory", "runtime": "none"});
    assert_eq!(standing, json!({"event": "status", "engine": engine, "pool": []}));
    server.finish().await;
}

#[tokio::test]
async fn an_engine_that_goes_and_returns_is_told_and_its_pool_is_filled_again() {
    let mut server = TestServer::builder().settings(|with| with.settings.warm.enabled = true).start().await;
    server.open("out 1").await;
    let full = |standing: &serde_json::Value| standing["pool"] == json!([{"language": "python", "waiting": 2}]);
    server.standing(full).await;
    let started = server.engine.started();
    server.engine.set_unreachable(Some("stopped"));
    server.engine.kill_all();
    let gone = server.standing(|standing| standing["error"].is_string()).await;
    assert_eq!(gone["error"], "fake is gone");
    assert!(gone.get("engine").is_none());
    server.standing(|standing| standing["error"].is_string() && !full(standing)).await;
    server.engine.set_unreachable(None);
    let back = server.standing(|standing| standing["engine"].is_object() && full(standing)).await;
    assert!(back.get("error").is_none());
    assert!(server.engine.started() >= started + 2, "those that wait are new ones");
    server.finish().await;
}

#[tokio::test]
async fn a_document_opened_while_there_was_no_engine_finds_containers_when_there_is() {
    let mut server = TestServer::builder().settings(|with| with.settings.warm.enabled = true).start().await;
    server.engine.set_unreachable(Some("stopped"));
    server.open("out 1").await;
    let gone = server.standing(|_| true).await;
    assert!(gone["error"].as_str().unwrap().contains("fake: stopped"), "{gone}");
    server.engine.set_unreachable(None);
    server.standing(|standing| standing["pool"][0]["waiting"] == 2).await;
    let run = server.command("runpen.runFile", json!({"uri": URI, "wait": true, "stdin": ""})).await.unwrap();
    assert_eq!(run["stdout"], "1\n");
    server.forget();
    server.finish().await;
}
