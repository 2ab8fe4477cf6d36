//! What the client can do, resolved once into plain values, and what the server offers it.

use tower_lsp::ls_types::{
    ClientCapabilities, CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CodeLensOptions,
    ExecuteCommandOptions, HoverProviderCapability, InitializeParams, MarkupKind, OneOf, PositionEncodingKind,
    ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    WorkDoneProgressOptions, WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use super::handlers::code_action;
use crate::protocol::command;
use crate::text::Encoding;

/// What the client can do.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a client says of itself")]
pub(crate) struct Capabilities {
    /// What positions count.
    pub(crate) encoding: Encoding,
    /// It makes a progress that the server asks for.
    pub(crate) progress: bool,
    /// It asks anew for code lenses when told to.
    pub(crate) lens_refresh: bool,
    /// It asks anew for inlay hints when told to.
    pub(crate) hint_refresh: bool,
    /// It answers `workspace/configuration`.
    pub(crate) configuration: bool,
    /// It understands code actions that are not bare commands.
    pub(crate) action_literals: bool,
    /// It shows Markdown on hover.
    pub(crate) hover_markdown: bool,
    /// It shows further places of a diagnostic.
    pub(crate) related: bool,
    /// It understands tags of diagnostics.
    pub(crate) tags: bool,
    /// It takes edits of one version of a document.
    pub(crate) versioned_edits: bool,
    /// It opens a document when asked to.
    pub(crate) show_document: bool,
}

impl Capabilities {
    /// Reads what the client says of itself.
    pub(crate) fn of(client: &ClientCapabilities) -> Self {
        let (workspace, document) = (client.workspace.as_ref(), client.text_document.as_ref());
        let publish = document.and_then(|document| document.publish_diagnostics.as_ref());
        let formats = document.and_then(|document| document.hover.as_ref()?.content_format.as_ref());
        Self {
            encoding: encoding(client),
            progress: client.window.as_ref().and_then(|window| window.work_done_progress) == Some(true),
            lens_refresh: workspace.and_then(|workspace| workspace.code_lens.as_ref()?.refresh_support) == Some(true),
            hint_refresh: workspace.and_then(|workspace| workspace.inlay_hint.as_ref()?.refresh_support) == Some(true),
            configuration: workspace.and_then(|workspace| workspace.configuration) == Some(true),
            action_literals: document
                .and_then(|document| document.code_action.as_ref()?.code_action_literal_support.as_ref())
                .is_some(),
            // A client that names no formats predates the choice, and shows Markdown.
            hover_markdown: formats.is_none_or(|formats| formats.contains(&MarkupKind::Markdown)),
            related: publish.and_then(|publish| publish.related_information) == Some(true),
            tags: publish.is_some_and(|publish| publish.tag_support.is_some()),
            versioned_edits: workspace.and_then(|workspace| workspace.workspace_edit.as_ref()?.document_changes)
                == Some(true),
            show_document: client
                .window
                .as_ref()
                .and_then(|window| window.show_document.as_ref())
                .is_some_and(|show| show.support),
        }
    }
}

/// UTF-8 where it is offered, because the server counts in bytes; then code points; else what the protocol says.
fn encoding(client: &ClientCapabilities) -> Encoding {
    let offered = client.general.as_ref().and_then(|general| general.position_encodings.as_ref());
    let offers = |kind: &PositionEncodingKind| offered.is_some_and(|offered| offered.contains(kind));
    if offers(&PositionEncodingKind::UTF8) {
        Encoding::Utf8
    } else if offers(&PositionEncodingKind::UTF32) && !offers(&PositionEncodingKind::UTF16) {
        Encoding::Utf32
    } else {
        Encoding::Utf16
    }
}

/// What the server offers.
pub(crate) fn server(client: Capabilities) -> ServerCapabilities {
    let with_progress = WorkDoneProgressOptions { work_done_progress: Some(true) };
    let without_progress = WorkDoneProgressOptions { work_done_progress: Some(false) };
    ServerCapabilities {
        position_encoding: Some(match client.encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(code_action::KINDS.iter().map(|kind| CodeActionKind::from(*kind)).collect()),
            work_done_progress_options: without_progress,
            resolve_provider: Some(false),
        })),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        inlay_hint_provider: Some(OneOf::Left(true)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: command::ALL.iter().map(|&name| name.to_owned()).collect(),
            work_done_progress_options: with_progress,
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        ..ServerCapabilities::default()
    }
}

/// The folders the client has open.
#[expect(deprecated, reason = "older clients name one root and no folders")]
pub(crate) fn folders(params: &InitializeParams) -> Vec<std::path::PathBuf> {
    let folders = params.workspace_folders.iter().flatten().map(|folder| &folder.uri);
    let mut paths: Vec<_> = folders.filter_map(super::documents::path_of).collect();
    if paths.is_empty() {
        paths.extend(params.root_uri.as_ref().and_then(super::documents::path_of));
    }
    paths
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoding_for(offered: &serde_json::Value) -> Encoding {
        let client = json!({"general": {"positionEncodings": offered}});
        Capabilities::of(&serde_json::from_value(client).unwrap()).encoding
    }

    #[test]
    fn utf8_is_preferred_and_utf16_is_the_rule() {
        assert_eq!(encoding_for(&json!(["utf-16", "utf-8"])), Encoding::Utf8);
        assert_eq!(encoding_for(&json!(["utf-32", "utf-16"])), Encoding::Utf16);
        assert_eq!(encoding_for(&json!(["utf-32"])), Encoding::Utf32);
        assert_eq!(encoding_for(&json!(["utf-7"])), Encoding::Utf16);
        assert_eq!(Capabilities::of(&ClientCapabilities::default()).encoding, Encoding::Utf16);
    }
}
