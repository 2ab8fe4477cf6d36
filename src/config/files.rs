//! Where configuration files are, and what is in them: the only I/O of the configuration.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// Name of a project's file.
const PROJECT: &str = ".runpen.toml";

/// The most that a configuration may have, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// The user's file: what `RUNPEN_CONFIG` names, whether it exists or not; else the one in the configuration folder, if any.
#[must_use]
pub fn user_file() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("RUNPEN_CONFIG").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    dirs::config_dir().map(|folder| folder.join("runpen").join("config.toml")).filter(|path| path.exists())
}

/// The nearest `.runpen.toml` from a folder upward, no further than an open folder of the workspace,
/// the repository's root or the home folder.
#[must_use]
pub fn project_file(folder: &Path, workspace: &[PathBuf]) -> Option<PathBuf> {
    // A relative folder has no parents to walk.
    let folder = std::path::absolute(folder).ok()?;
    let home = dirs::home_dir();
    for folder in folder.ancestors() {
        let file = folder.join(PROJECT);
        if file.is_file() {
            return Some(file);
        }
        let opened = workspace.iter().any(|opened| opened == folder);
        if opened || Some(folder) == home.as_deref() || folder.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads a file of the configuration, bounded. Links are followed: what they lead to can do no more than the file itself.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let error = |reason| ConfigError::Read { path: path.to_owned(), reason };
    let other = |reason: &str| error(std::io::Error::other(reason.to_owned()));
    // A named pipe would be waited for without end.
    if !std::fs::metadata(path).map_err(error)?.is_file() {
        return Err(other("it is not a file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(error)?;
    if bytes.len() as u64 > LIMIT {
        return Err(other("it is larger than 1M"));
    }
    String::from_utf8(bytes).map_err(|_| other("it is not a text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_project_file_counts_and_nothing_above_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("repository/a/b")).unwrap();
        fs::create_dir_all(at("repository/.git")).unwrap();
        fs::write(at(".runpen.toml"), "").unwrap();
        assert_eq!(project_file(&at("repository/a/b"), &[]), None);
        assert_eq!(project_file(&at("repository/a/b"), &[at("repository/a")]), None);
        fs::write(at("repository/.runpen.toml"), "").unwrap();
        assert_eq!(project_file(&at("repository/a/b"), &[]), Some(at("repository/.runpen.toml")));
        assert_eq!(project_file(&at("repository/a/b"), &[at("repository/a")]), None);
        fs::write(at("repository/a/.runpen.toml"), "").unwrap();
        assert_eq!(project_file(&at("repository/a/b"), &[]), Some(at("repository/a/.runpen.toml")));
    }
}
