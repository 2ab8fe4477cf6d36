//! Results of blocks that have not changed. A file each, in the user's cache folder; anything wrong with one is a miss.
//!
//! The name is a hash of everything that the result depends on: the plan (program, commands, environment, limits), the
//! input, the digest of the image, the engine, and Runpen's version. Only runs that ended as their page says are kept, so a block
//! that fails is tried again.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::document::compare::Printed;
use crate::engine::owner::cache_folder;
use crate::files::write_whole;
use crate::fingerprint::fingerprint;
use crate::plan::Plan;
use crate::protocol::Outcome;

/// A result with more output is not kept.
const SIZE_LIMIT: usize = 256 * 1024;

/// A result that was not asked for this long is thrown away.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The cache; without a folder it never has anything.
pub(super) struct Cache {
    folder: Option<PathBuf>,
}

/// What is kept of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The whole key once more: a file that was put in another's place is none.
    key: String,
    pub(super) outcome: Outcome,
    pub(super) exit_code: Option<i32>,
    pub(super) printed: Printed,
}

impl Kept {
    pub(super) fn new(key: &str, outcome: Outcome, exit_code: Option<i32>, printed: Printed) -> Self {
        Self { key: key.to_owned(), outcome, exit_code, printed }
    }
}

/// The key of a run.
pub(super) fn key(plan: &Plan, stdin: Option<&str>, engine: &str, digest: &str) -> String {
    let mut plan = plan.clone();
    let files = std::mem::take(&mut plan.files);
    let plan = format!("{plan:?}");
    let others = [plan.as_str(), stdin.unwrap_or_default(), engine, digest, env!("CARGO_PKG_VERSION")];
    let files = files.iter().flat_map(|file| [file.path.as_bytes(), &*file.content]);
    fingerprint(files.chain(others.map(str::as_bytes)))
}

impl Cache {
    /// The user's cache, or none.
    pub(super) fn open(used: bool) -> Self {
        let folder = cache_folder().filter(|_| used).map(|folder| folder.join("check"));
        Self::at(folder)
    }

    fn at(folder: Option<PathBuf>) -> Self {
        // Its files say what somebody's pages print.
        let folder = folder.filter(|folder| std::fs::create_dir_all(folder).is_ok());
        #[cfg(unix)]
        if let Some(folder) = &folder {
            use std::os::unix::fs::PermissionsExt as _;
            let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
        }
        Self { folder }
    }

    pub(super) fn get(&self, key: &str) -> Option<Kept> {
        let path = self.folder.as_ref()?.join(key);
        if !std::fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (kept.key == key).then_some(kept)
    }

    pub(super) fn put(&self, kept: &Kept) {
        let Some(folder) = &self.folder else { return };
        let Ok(bytes) = serde_json::to_vec(kept) else { return };
        if bytes.len() > SIZE_LIMIT {
            return;
        }
        if let Err(error) = write_whole(&folder.join(&kept.key), &bytes) {
            tracing::debug!(%error, "a result could not be kept");
        }
    }

    /// Throws away what nobody asked for in a long time.
    pub(super) fn sweep(&self) {
        let Some(entries) = self.folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok()) else { return };
        for entry in entries.flatten() {
            let age =
                entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age > KEPT) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::language::Languages;
    use crate::snippet::Snippet;
    use crate::text::Text;

    #[test]
    fn a_corrupt_file_a_folder_or_the_file_of_another_key_is_a_miss() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(Some(folder.path().to_owned()));
        let printed = Printed { stdout: "é\n".to_owned(), ..Printed::default() };
        let kept = Kept::new("abc", Outcome::Exited, Some(0), printed);
        assert_eq!(cache.get("abc"), None);
        cache.put(&kept);
        assert_eq!(cache.get("abc"), Some(kept));
        std::fs::copy(folder.path().join("abc"), folder.path().join("other")).unwrap();
        std::fs::write(folder.path().join("abc"), "{\"key\":\"abc\"").unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        for key in ["abc", "other", "folder", "none"] {
            assert_eq!(cache.get(key), None, "{key}");
        }
        assert_eq!(Cache::at(None).get("abc"), None);
        cache.sweep();
        assert!(folder.path().join("other").exists(), "what is young stays");
    }

    #[test]
    fn everything_that_a_result_depends_on_is_in_the_key() {
        let languages = Languages::built_in();
        let of =
            |code: &str, language: &str, settings: &Settings, args: &[String], stdin, engine: &str, digest: &str| {
                let language = languages.named(language).unwrap();
                let snippet = Snippet::file(&Text::new(code), None, language).unwrap();
                key(&Plan::new(&snippet, language, settings, args), stdin, engine, digest)
            };
        let settings = Settings::default();
        let mut other = settings.clone();
        other.memory = Some(crate::config::Size::mib(99));
        let args = ["a".to_owned()];
        let keys = [
            of("x", "python", &settings, &[], None, "docker", "sha256:1"),
            of("y", "python", &settings, &[], None, "docker", "sha256:1"),
            of("x", "javascript", &settings, &[], None, "docker", "sha256:1"),
            of("x", "python", &other, &[], None, "docker", "sha256:1"),
            of("x", "python", &settings, &args, None, "docker", "sha256:1"),
            of("x", "python", &settings, &[], Some("in"), "docker", "sha256:1"),
            of("x", "python", &settings, &[], None, "embedded", "sha256:1"),
            of("x", "python", &settings, &[], None, "docker", "sha256:2"),
        ];
        let different: std::collections::BTreeSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(keys[0], of("x", "python", &settings, &[], None, "docker", "sha256:1"));
    }
}
