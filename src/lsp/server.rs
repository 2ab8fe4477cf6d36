//! The service: each message to its handler, and nothing else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tower_lsp::LanguageServer;
use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams, DidChangeConfigurationParams,
    DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, ExecuteCommandParams, Hover, HoverParams, InitializeParams, InitializeResult,
    InitializedParams, InlayHint, InlayHintParams, ServerInfo, WorkDoneProgressCancelParams,
};

use super::capabilities;
use super::handlers::{code_action, command, hint, hover, lens, settings, sync};
use super::session::Shared;

/// How long `shutdown` may take to remove containers: Eglot waits a second and a half for its answer.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1200);

/// One client's service.
pub(crate) struct Server {
    pub(crate) session: Shared,
}

impl Server {
    /// The cancel button of a progress.
    #[expect(clippy::unused_async, reason = "tower-lsp calls only async methods")]
    pub(crate) async fn progress_cancelled(&self, params: WorkDoneProgressCancelParams) {
        let run_ids = self.session.tokens().get(&params.token).cloned();
        for run_id in run_ids.unwrap_or_default() {
            let _ = self.session.backend.manager.cancel(Some(&run_id));
        }
        self.session.pulls().cancel(&params.token);
    }
}

impl LanguageServer for Server {
    async fn initialize(&self, params: InitializeParams) -> Result<InitializeResult> {
        let client = settings::initialize(&self.session, &params);
        super::parent::watch(params.process_id, &self.session);
        Ok(InitializeResult {
            capabilities: capabilities::server(client),
            server_info: Some(ServerInfo {
                name: "runpen".to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
            offset_encoding: None,
        })
    }

    async fn initialized(&self, _params: InitializedParams) {
        settings::pull(&self.session);
    }

    async fn shutdown(&self) -> Result<()> {
        self.session.shut_down.store(true, Ordering::Release);
        self.session.backend.outputs.end();
        // Here and not only at `exit`: some clients (Eglot) kill a server as soon as they have sent that.
        self.session.backend.manager.shutdown(SHUTDOWN_GRACE).await;
        Ok(())
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        sync::opened(&self.session, params);
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        sync::changed(&self.session, &params);
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        sync::closed(&self.session, &params);
    }

    async fn code_lens(&self, params: CodeLensParams) -> Result<Option<Vec<CodeLens>>> {
        Ok(Some(lens::lenses(&self.session, &params)))
    }

    async fn code_action(&self, params: CodeActionParams) -> Result<Option<CodeActionResponse>> {
        Ok(Some(code_action::actions(&self.session, &params)))
    }

    async fn inlay_hint(&self, params: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        Ok(Some(hint::hints(&self.session, &params)))
    }

    async fn hover(&self, params: HoverParams) -> Result<Option<Hover>> {
        Ok(hover::hover(&self.session, &params))
    }

    async fn execute_command(&self, params: ExecuteCommandParams) -> Result<Option<Value>> {
        command::execute(&self.session, params).await
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        settings::changed(&self.session, params);
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        settings::folders_changed(&self.session, &params);
    }
}
