//! Settings for the command line and for the server: finds the files, says the warnings.

use std::path::Path;
use std::sync::Arc;

use super::{Failure, say};
use crate::config::{self, Layer, Settings, Sources};
use crate::lsp::{EditorSettings, Loaded, SettingsSource};

/// Settings for one command. A project's file counts when the command is about a file or a folder.
pub(super) fn load(flags: &Layer, folder: Option<&Path>) -> Result<Settings, Failure> {
    let user = config::user_file();
    let project = folder.and_then(|folder| config::project_file(folder, &[]));
    let sources =
        Sources { user: user.as_deref(), flags: Some(flags), project: project.as_deref(), ..Sources::default() };
    let loaded = config::load(&sources).map_err(Failure::usage)?;
    for warning in &loaded.warnings {
        say(&warning.to_string());
    }
    Ok(loaded.settings)
}

/// The server's source: the user's file, what the editor says, the project's file.
pub(super) struct Files;

impl SettingsSource for Files {
    fn load(&self, editor: &EditorSettings, document: Option<&Path>) -> Result<Loaded, String> {
        let user = config::user_file();
        let folder = document.and_then(Path::parent);
        let project = folder.and_then(|folder| config::project_file(folder, &editor.folders));
        let sources = Sources {
            user: user.as_deref(),
            editor: Some(&editor.user).filter(|value| !value.is_null()),
            flags: None,
            project: project.as_deref(),
            workspace: Some(&editor.workspace).filter(|value| !value.is_null()),
        };
        let loaded = config::load(&sources).map_err(|error| error.to_string())?;
        let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
        Ok(Loaded { settings: Arc::new(loaded.settings), warnings })
    }
}
