//! Which images Runpen brought, and when each was last used: one small file an image, in the cache folder.
//!
//! A prune takes only what is written here as brought, or carries the name and the label of a derived image. A file names the
//! engine, the reference and the digest, so the same name on another engine, or fetched anew by somebody else, is not ours.
//! Its time of change is the last use. Nothing here may fail a run: a folder that cannot be written to is a word in the log.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::files::write_whole;
use crate::fingerprint::fingerprint;

/// A use that was noted so long ago is noted again.
const STALE: Duration = Duration::from_secs(60);

/// What is known of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where the engine is.
    pub place: String,
    /// The reference.
    pub reference: String,
    /// Digest of what was brought; absent when it was only used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<String>,
}

/// The ledger. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    folder: Option<PathBuf>,
    noted: Arc<Mutex<HashMap<PathBuf, Instant>>>,
}

impl Ledger {
    /// In the user's cache folder.
    #[must_use]
    pub fn open() -> Self {
        Self::at(super::owner::cache_folder().map(|folder| folder.join("images")))
    }

    /// In this folder; in none, nothing is remembered.
    #[must_use]
    pub fn at(folder: Option<PathBuf>) -> Self {
        Self { folder, noted: Arc::default() }
    }

    fn path(&self, place: &str, reference: &str) -> Option<PathBuf> {
        let name = fingerprint([place.as_bytes(), reference.as_bytes()]);
        Some(self.folder.as_ref()?.join(format!("{name}.json")))
    }

    /// Runpen fetched an image.
    pub fn brought(&self, place: &str, reference: &str, digest: &str) {
        self.write(&Entry {
            place: place.to_owned(),
            reference: reference.to_owned(),
            brought: Some(digest.to_owned()),
        });
    }

    /// A run used an image.
    pub fn used(&self, place: &str, reference: &str) {
        let Some(path) = self.path(place, reference) else { return };
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(&path).is_some_and(|when| when.elapsed() < STALE) {
                return;
            }
            noted.insert(path.clone(), Instant::now());
        }
        if let Ok(file) = File::options().write(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        } else {
            self.write(&Entry { place: place.to_owned(), reference: reference.to_owned(), brought: None });
        }
    }

    /// An image is gone.
    pub fn forget(&self, place: &str, reference: &str) {
        if let Some(path) = self.path(place, reference) {
            let _ = fs::remove_file(path);
        }
    }

    /// What is known of the images of an engine, and when each was last used.
    #[must_use]
    pub fn entries(&self, place: &str) -> Vec<(Entry, SystemTime)> {
        let files = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        let read = |path: &Path| -> Option<(Entry, SystemTime)> {
            let entry: Entry = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
            Some((entry, fs::metadata(path).ok()?.modified().ok()?))
        };
        let paths = files.into_iter().flatten().filter_map(|file| Some(file.ok()?.path()));
        let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        json.filter_map(|path| read(&path)).filter(|(entry, _)| entry.place == place).collect()
    }

    /// Whole or not at all: another server may read at the same moment.
    fn write(&self, entry: &Entry) {
        let Some(path) = self.path(&entry.place, &entry.reference) else { return };
        let written = (|| {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            write_whole(&path, &serde_json::to_vec(entry)?)
        })();
        if let Err(error) = written {
            tracing::warn!(image = entry.reference, %error, "cannot note what image was brought");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_is_told_from_what_was_only_used() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::at(Some(folder.path().join("images")));
        assert!(ledger.entries("unix:///a").is_empty());
        ledger.brought("unix:///a", "x:1", "sha256:1");
        ledger.used("unix:///a", "x:1");
        ledger.used("unix:///a", "y:1");
        ledger.used("unix:///b", "z:1");
        let mut entries: Vec<_> = ledger.entries("unix:///a").into_iter().map(|(entry, _)| entry).collect();
        entries.sort_by(|one, other| one.reference.cmp(&other.reference));
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].brought.as_deref(), entries[1].brought.as_deref()), (Some("sha256:1"), None));
        ledger.forget("unix:///a", "x:1");
        assert_eq!(ledger.entries("unix:///a").len(), 1);
    }

    #[test]
    fn a_use_moves_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::at(Some(folder.path().to_owned()));
        ledger.brought("a", "x:1", "d");
        let old = SystemTime::now() - Duration::from_secs(9000);
        let path = ledger.path("a", "x:1").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert!(ledger.entries("a")[0].1 <= old + Duration::from_secs(1));
        ledger.used("a", "x:1");
        assert!(ledger.entries("a")[0].1.elapsed().unwrap() < Duration::from_secs(4000));
        assert_eq!(ledger.entries("a")[0].0.brought.as_deref(), Some("d"), "a use changes nothing else");
    }

    #[test]
    fn without_a_folder_nothing_is_remembered_and_nothing_fails() {
        let ledger = Ledger::default();
        ledger.brought("a", "x:1", "d");
        ledger.used("a", "x:1");
        assert!(ledger.entries("a").is_empty());
    }
}
