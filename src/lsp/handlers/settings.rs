//! What the editor says of settings, and the seam to those who resolve them.
//!
//! `initializationOptions` are the user's. What `workspace/configuration` and `workspace/didChangeConfiguration` bring may
//! have a workspace's settings merged in (VS Code merges before it answers), and a repository cloned a minute ago must not
//! loosen its own sandbox: it counts as a workspace's and may only tighten, unless `initializationOptions` has
//! `"trustConfiguration": true`, with which a client vouches that it answers with the user's own settings, or tells the two
//! apart by answering `{"user": {…}, "workspace": {…}}`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tower_lsp::ls_types::request::WorkspaceConfiguration;
use tower_lsp::ls_types::{
    ConfigurationItem, ConfigurationParams, DidChangeConfigurationParams, DidChangeWorkspaceFoldersParams,
    InitializeParams, MessageType,
};

use crate::config::Settings;
use crate::lsp::capabilities::{self, Capabilities};
use crate::lsp::documents::path_of;
use crate::lsp::session::Shared;
use crate::lsp::standing;

/// Name of our section.
const SECTION: &str = "runpen";

/// What the editor says of settings, in its camelCase.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EditorSettings {
    /// The user's.
    pub user: Value,
    /// What may come from the workspace: may only tighten.
    pub workspace: Value,
    /// Open folders, whose `.runpen.toml` counts.
    pub folders: Vec<PathBuf>,
}

/// Settings after all layers.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Words for the log, a line each.
    pub warnings: Vec<String>,
}

/// Where settings come from. Asked at each run, so that no file is watched.
pub trait SettingsSource: Send + Sync {
    /// The settings for a document; the error is one line that names file and line.
    fn load(&self, editor: &EditorSettings, document: Option<&Path>) -> Result<Loaded, String>;
}

/// The same settings always.
impl SettingsSource for Settings {
    fn load(&self, _editor: &EditorSettings, _document: Option<&Path>) -> Result<Loaded, String> {
        Ok(Loaded { settings: Arc::new(self.clone()), warnings: Vec::new() })
    }
}

/// What the server shows by itself. A plugin that shows it in its own way turns it off.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that can be shown")]
pub(crate) struct Features {
    pub(crate) code_lens: bool,
    pub(crate) inlay_hints: bool,
    pub(crate) hover: bool,
    pub(crate) progress: bool,
    /// Without a word of it, what the client announces counts.
    pub(crate) output: Option<bool>,
}

impl Default for Features {
    fn default() -> Self {
        Self { code_lens: true, inlay_hints: true, hover: true, progress: true, output: None }
    }
}

/// The session's side of it.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    settings: EditorSettings,
    trusted: bool,
    /// The client told the user's settings and the workspace's apart.
    layered: bool,
    /// What was said, so that it is not said at each run.
    said: HashSet<String>,
}

/// Takes what `initialize` brings.
pub(crate) fn initialize(session: &Shared, params: &InitializeParams) -> Capabilities {
    let capabilities = Capabilities::of(&params.capabilities);
    let mut options = params.initialization_options.clone().unwrap_or_default();
    let mut take = |key: &str| options.as_object_mut().and_then(|options| options.remove(key)).unwrap_or_default();
    let trusted = take("trustConfiguration") == Value::Bool(true);
    let features = serde_json::from_value(take("presentation")).unwrap_or_default();
    let mut editor = session.editor();
    editor.settings = EditorSettings {
        user: options.as_object_mut().and_then(|options| options.remove(SECTION)).unwrap_or(options),
        workspace: Value::Null,
        folders: capabilities::folders(params),
    };
    editor.trusted = trusted;
    drop(editor);
    session.initialized(capabilities, features);
    capabilities
}

/// Asks the client for its section; the answer comes when it comes.
pub(crate) fn pull(session: &Shared) {
    if !session.capabilities().configuration {
        // What `initialize` brought is all there is.
        export(session);
        return;
    }
    let session = Arc::clone(session);
    tokio::spawn(async move {
        let item = ConfigurationItem { scope_uri: None, section: Some(SECTION.to_owned()) };
        let params = ConfigurationParams { items: vec![item] };
        match session.client.send_request::<WorkspaceConfiguration>(params).await {
            Ok(answer) => take(&session, answer.into_iter().next().unwrap_or_default()),
            Err(error) => tracing::debug!(%error, "the client gives no configuration"),
        }
    });
}

/// Takes what the client pushes, when it cannot be asked.
pub(crate) fn changed(session: &Shared, params: DidChangeConfigurationParams) {
    if session.capabilities().configuration {
        pull(session);
    } else if let Value::Object(mut settings) = params.settings {
        take(session, settings.remove(SECTION).unwrap_or_default());
    }
}

fn take(session: &Shared, section: Value) {
    let mut editor = session.editor();
    match section {
        Value::Object(mut layers) if editor.trusted && layers.contains_key("user") => {
            editor.settings.user = layers.remove("user").unwrap_or_default();
            editor.settings.workspace = layers.remove("workspace").unwrap_or_default();
            editor.layered = true;
        }
        section => {
            editor.settings.workspace = section;
            editor.layered = false;
        }
    }
    editor.said.clear();
    drop(editor);
    export(session);
    super::sync::expect_all(session);
}

/// Does what these settings want done at once.
fn export(session: &Shared) {
    if let Ok(settings) = load(session, None) {
        standing::export(session, &settings);
    }
}

/// Takes what happened to the open folders.
pub(crate) fn folders_changed(session: &Shared, params: &DidChangeWorkspaceFoldersParams) {
    let removed: Vec<PathBuf> = params.event.removed.iter().filter_map(|folder| path_of(&folder.uri)).collect();
    let mut editor = session.editor();
    editor.settings.folders.retain(|folder| !removed.contains(folder));
    editor.settings.folders.extend(params.event.added.iter().filter_map(|folder| path_of(&folder.uri)));
}

/// The settings for a document. Warnings, and an error, go to the client's log once.
pub(crate) fn load(session: &Shared, document: Option<&Path>) -> Result<Arc<Settings>, String> {
    let settings = {
        let editor = session.editor();
        let mut settings = editor.settings.clone();
        if editor.trusted && !editor.layered {
            merge(&mut settings.user, std::mem::take(&mut settings.workspace));
        }
        settings
    };
    let loaded = session.backend.settings.load(&settings, document);
    let (words, typ) = match &loaded {
        Ok(loaded) => (loaded.warnings.clone(), MessageType::WARNING),
        Err(error) => (vec![error.clone()], MessageType::ERROR),
    };
    let mut editor = session.editor();
    for word in words {
        if editor.said.insert(word.clone()) {
            session.log(typ, word);
        }
    }
    loaded.map(|loaded| loaded.settings)
}

/// Later over earlier, key by key.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over,
    }
}
