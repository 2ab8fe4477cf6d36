//! What the server says of itself.

use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn a_client_learns_what_the_server_can_do() {
    let server = TestServer::start().await;
    let answer = &server.initialized;
    assert_eq!(answer["serverInfo"], json!({"name": "runpen", "version": env!("CARGO_PKG_VERSION")}));
    let capabilities = &answer["capabilities"];
    assert_eq!(capabilities["positionEncoding"], "utf-16");
    assert_eq!(capabilities["textDocumentSync"], json!({"openClose": true, "change": 2}));
    assert_eq!(capabilities["executeCommandProvider"]["commands"], json!(runpen::protocol::command::ALL));
    for provider in ["codeLensProvider", "codeActionProvider", "hoverProvider", "inlayHintProvider"] {
        assert!(!capabilities[provider].is_null(), "{provider}");
    }
    assert_eq!(server.engine.started(), 0);
    server.finish().await;
}

#[tokio::test]
async fn utf8_is_agreed_when_it_is_offered() {
    let capabilities = json!({"general": {"positionEncodings": ["utf-16", "utf-8"]}});
    let server = TestServer::builder().capabilities(capabilities).start().await;
    assert_eq!(server.initialized["capabilities"]["positionEncoding"], "utf-8");
    server.finish().await;
}

#[tokio::test]
async fn nothing_is_served_before_initialize() {
    let mut server = TestServer::builder().start_silent();
    let refusal = server.command("runpen.status", json!({})).await.unwrap_err();
    assert_eq!(refusal.0, -32002);
    server.request("initialize", json!({"capabilities": {}})).await.unwrap();
    assert_eq!(server.request("initialize", json!({"capabilities": {}})).await.unwrap_err().0, -32600);
    server.finish().await;
}
