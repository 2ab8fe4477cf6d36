//! What the editor says of settings reaches those who resolve them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use runpen::lsp::EditorSettings;
use serde_json::{Value, json};

use crate::harness::{TestServer, URI};

#[tokio::test]
async fn options_are_the_users_and_configuration_is_the_workspaces() {
    let seen = Arc::<Mutex<Vec<EditorSettings>>>::default();
    let seen_by_server = Arc::clone(&seen);
    let mut server = TestServer::builder()
        .capabilities(json!({"workspace": {"configuration": true}}))
        .options(json!({"timeout": "5s", "presentation": {"hover": false}}))
        .settings(|own| own.seen = seen_by_server)
        .start()
        .await;
    let params = server.respond("workspace/configuration", Ok(json!([{"memory": "64M"}]))).await;
    assert_eq!(params, json!({"items": [{"section": "runpen"}]}));
    server.open("out 1\n").await;
    let run_id = server.run_file().await;
    server.finished(&run_id).await;
    let last = seen.lock().unwrap().last().unwrap().clone();
    assert_eq!((last.user, last.workspace), (json!({"timeout": "5s"}), json!({"memory": "64M"})));
    // A change is told without its content, and asked for.
    server.notify("workspace/didChangeConfiguration", json!({"settings": null})).await;
    server.respond("workspace/configuration", Ok(json!([null]))).await;
    server.run_file().await;
    assert_eq!(server.command("runpen.status", json!({})).await.unwrap()["error"], Value::Null);
    assert_eq!(seen.lock().unwrap().last().unwrap().workspace, Value::Null);
    server.forget();
    server.command("runpen.cancel", json!({})).await.unwrap();
    while server.command("runpen.status", json!({})).await.unwrap()["runs"] != json!([]) {}
    finish_silently(server).await;
}

/// Ends a server whose last run may say more.
async fn finish_silently(mut server: TestServer) {
    server.hang_up();
    server.ended().await;
}

#[tokio::test]
async fn a_client_may_vouch_for_its_configuration() {
    let seen = Arc::<Mutex<Vec<EditorSettings>>>::default();
    let seen_by_server = Arc::clone(&seen);
    let mut server = TestServer::builder()
        .options(json!({"runpen": {"env": {"A": "1", "B": "1"}}, "trustConfiguration": true}))
        .settings(|own| own.seen = seen_by_server)
        .start()
        .await;
    let pushed = json!({"settings": {"runpen": {"env": {"B": "2"}, "timeout": "1s"}, "other": 1}});
    server.notify("workspace/didChangeConfiguration", pushed).await;
    server.command("runpen.status", json!({})).await.unwrap();
    let last = seen.lock().unwrap().last().unwrap().clone();
    assert_eq!(last.workspace, Value::Null);
    assert_eq!(last.user, json!({"env": {"A": "1", "B": "2"}, "timeout": "1s"}));
    server.finish().await;
}

#[tokio::test]
async fn a_client_may_tell_user_and_workspace_apart() {
    for (trusted, user, workspace) in [
        (true, json!({"timeout": "1s"}), json!({"network": "bridge"})),
        // Who does not vouch for it cannot pass a workspace's settings off as the user's.
        (false, json!({"memory": "1G"}), json!({"user": {"timeout": "1s"}, "workspace": {"network": "bridge"}})),
    ] {
        let seen = Arc::<Mutex<Vec<EditorSettings>>>::default();
        let seen_by_server = Arc::clone(&seen);
        let mut server = TestServer::builder()
            .options(json!({"memory": "1G", "trustConfiguration": trusted}))
            .settings(|own| own.seen = seen_by_server)
            .start()
            .await;
        let pushed = json!({"settings": {"runpen": {"user": {"timeout": "1s"}, "workspace": {"network": "bridge"}}}});
        server.notify("workspace/didChangeConfiguration", pushed).await;
        server.command("runpen.status", json!({})).await.unwrap();
        let last = seen.lock().unwrap().last().unwrap().clone();
        assert_eq!((last.user, last.workspace), (user, workspace));
        server.finish().await;
    }
}

#[tokio::test]
async fn folders_come_and_go() {
    let seen = Arc::<Mutex<Vec<EditorSettings>>>::default();
    let seen_by_server = Arc::clone(&seen);
    let mut server = TestServer::builder().settings(|own| own.seen = seen_by_server).start_silent();
    let folders = json!([{"uri": "file:///one", "name": "one"}, {"uri": "file:///two", "name": "two"}]);
    server.request("initialize", json!({"capabilities": {}, "workspaceFolders": folders})).await.unwrap();
    let event =
        json!({"added": [{"uri": "file:///three%20", "name": ""}], "removed": [{"uri": "file:///one", "name": ""}]});
    server.notify("workspace/didChangeWorkspaceFolders", json!({"event": event})).await;
    server.command("runpen.status", json!({})).await.unwrap();
    let last = seen.lock().unwrap().last().unwrap().clone();
    assert_eq!(last.folders, [PathBuf::from("/two"), PathBuf::from("/three ")]);
    server.finish().await;
}

#[tokio::test]
async fn a_warning_is_logged_once_and_an_error_refuses_the_run() {
    let warning = "unknown key `timeuot`, did you mean `timeout`?";
    let mut server =
        TestServer::builder().settings(|settings| settings.warning = Some(warning.to_owned())).start().await;
    server.open("out 1\n").await;
    for _ in 0..2 {
        let run_id = server.run_file().await;
        server.finished(&run_id).await;
    }
    assert_eq!(server.notification("window/logMessage").await, json!({"type": 2, "message": warning}));
    server.finish().await;

    let error = "config.toml:3: `timeout` must be a duration such as 10s";
    let mut server = TestServer::builder().settings(|settings| settings.error = Some(error.to_owned())).start().await;
    server.open("out 1\n").await;
    assert_eq!(server.command("runpen.runFile", json!({"uri": URI})).await, Err((-32602, error.to_owned())));
    assert_eq!(server.notification("window/logMessage").await["message"], error);
    server.finish().await;
}
