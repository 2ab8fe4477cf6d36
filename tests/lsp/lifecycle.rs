//! The end of a server, and messages that are none.

use runpen::lsp::Ended;
use serde_json::{Value, json};

use crate::harness::{TestServer, URI};

async fn busy() -> TestServer {
    let mut server = TestServer::start().await;
    server.open("out up\nhang\n").await;
    server.run_file().await;
    server
        .ask(
            "workspace/executeCommand",
            json!({"command": "runpen.runFile", "arguments": [{"uri": URI, "wait": true}]}),
        )
        .await;
    server.notification("runpen/output").await;
    server.notification("runpen/output").await;
    assert_eq!(server.engine.alive(), 2);
    server
}

fn assert_gone(server: &TestServer, ended: Ended, politely: bool) {
    assert_eq!(ended.politely, politely);
    assert_eq!(ended.exit_code(), u8::from(!politely));
    assert_eq!(server.engine.alive(), 0);
}

#[tokio::test]
async fn the_end_of_input_ends_all_runs() {
    let mut server = busy().await;
    server.hang_up();
    let ended = server.ended().await;
    assert_gone(&server, ended, false);
}

#[tokio::test]
async fn exit_without_shutdown_ends_all_runs_and_is_an_error() {
    let mut server = busy().await;
    server.notify("exit", Value::Null).await;
    let ended = server.ended().await;
    assert_gone(&server, ended, false);
}

#[tokio::test]
async fn shutdown_ends_all_runs_and_exit_the_server() {
    let mut server = busy().await;
    server.request("shutdown", Value::Null).await.unwrap();
    assert!(server.command("runpen.runFile", json!({"uri": URI})).await.is_err());
    server.notify("exit", Value::Null).await;
    let ended = server.ended().await;
    assert_gone(&server, ended, true);
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_keep_the_server() {
    let mut server = TestServer::builder().pipe(2048).start().await;
    server.open("flood 900000\nhang\n").await;
    for _ in 0..5 {
        server.ask("workspace/executeCommand", json!({"command": "runpen.runFile", "arguments": [{"uri": URI}]})).await;
    }
    server.hang_up();
    let ended = server.ended().await;
    assert_gone(&server, ended, false);
}

#[tokio::test]
async fn malformed_messages_are_answered_and_the_server_goes_on() {
    let mut server = TestServer::start().await;
    server.raw(b"Content-Length: 8\r\n\r\n{\"json\":").await;
    assert_eq!(refused(&mut server).await, (Value::Null, -32700));
    server.raw(b"Content-Length: 2\r\n\r\n\xff\xfe").await;
    assert_eq!(refused(&mut server).await, (Value::Null, -32700));
    server.raw(b"Content-Length: many\r\n\r\n").await;
    assert_eq!(refused(&mut server).await, (Value::Null, -32700));
    server.raw(b"hello\r\n").await;
    assert_eq!(refused(&mut server).await, (Value::Null, -32700));
    for (message, id) in [
        (json!([1, 2]), Value::Null),
        (json!("text"), Value::Null),
        (json!({"jsonrpc": "2.0", "id": 77}), json!(77)),
        (json!({"jsonrpc": "1.0", "id": 78, "method": "shutdown"}), json!(78)),
        (json!({"jsonrpc": "2.0", "id": 79, "method": 4}), json!(79)),
        (json!({"jsonrpc": "2.0", "id": {}, "method": "shutdown"}), Value::Null),
    ] {
        server.send(&message).await;
        assert_eq!(refused(&mut server).await, (id, -32600), "{message}");
    }
    server.send(&json!({"jsonrpc": "2.0", "id": 80, "result": {}})).await;
    assert_eq!(server.request("no/such", json!({})).await.unwrap_err().0, -32601);
    assert_eq!(server.request("textDocument/hover", json!({"textDocument": 1})).await.unwrap_err().0, -32602);
    server.finish().await;
}

async fn refused(server: &mut TestServer) -> (Value, i64) {
    let message = server.take(|message| message.get("error").is_some()).await;
    (message["id"].clone(), message["error"]["code"].as_i64().unwrap())
}
