//! Whole outputs as files, since what an editor opens on request (`window/showDocument`) is a file. It must not know what
//! is in them.
//!
//! # Theory of operation
//!
//! What a program printed is its user's alone: the folder can be opened by nobody else, the names cannot be foretold, and
//! a file is made anew or not at all, so a link that somebody planted is never followed. The files go when the server
//! ends. What a killed server leaves is found by its lock, as its containers are: see [`owner`].

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::owner::{self, Owner};

/// What the owner's lock says that it has made.
const PLACE: &str = "output";

/// Files of one server; the oldest goes first.
const LIMIT: usize = 32;

/// The files of one server. Cheap to clone.
#[derive(Clone, Default)]
pub struct Outputs {
    folder: Option<PathBuf>,
    written: Arc<Mutex<Written>>,
}

#[derive(Default)]
struct Written {
    owner: Option<Owner>,
    /// Each with its run.
    files: VecDeque<(String, PathBuf)>,
    /// The server ends: nothing may come after what was removed.
    ended: bool,
}

impl Outputs {
    /// In the user's cache folder.
    #[must_use]
    pub fn open() -> Self {
        Self::at(owner::cache_folder().map(|folder| folder.join("output")))
    }

    /// In this folder; without one, nothing can be written.
    #[must_use]
    pub fn at(folder: Option<PathBuf>) -> Self {
        Self { folder, written: Arc::default() }
    }

    /// The file with a run's output, written when it is not there.
    pub(crate) fn write(&self, run_id: &str, text: &str) -> io::Result<PathBuf> {
        let folder = self.folder.as_deref().ok_or_else(|| io::Error::other("there is no cache folder"))?;
        let mut written = self.lock();
        if written.ended {
            return Err(io::Error::other("the server ends"));
        }
        if let Some((_, path)) = written.files.iter().find(|(id, path)| id == run_id && path.is_file()) {
            return Ok(path.clone());
        }
        let at_folder = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        private(folder).map_err(at_folder)?;
        let owner = match written.owner.take() {
            Some(owner) => owner,
            None => Owner::claim_in(folder).map_err(at_folder)?,
        };
        let owner = written.owner.insert(owner);
        owner.uses(PLACE).map_err(at_folder)?;
        let path = folder.join(format!("{}.txt", owner.next_name()));
        fresh(&path).map_err(at_folder)?.write_all(text.as_bytes()).map_err(at_folder).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })?;
        written.files.push_back((run_id.to_owned(), path.clone()));
        if written.files.len() > LIMIT
            && let Some((_, oldest)) = written.files.pop_front()
        {
            let _ = fs::remove_file(oldest);
        }
        Ok(path)
    }

    /// Removes them all, for good.
    pub(crate) fn end(&self) {
        let mut written = self.lock();
        written.ended = true;
        for (_, path) in std::mem::take(&mut written.files) {
            let _ = fs::remove_file(path);
        }
        written.owner = None;
    }

    /// Removes what killed servers left, and says how many files that were.
    pub fn sweep(&self) -> io::Result<usize> {
        // A link in its place is none of ours.
        let ours = |folder: &&PathBuf| fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir());
        let Some(folder) = self.folder.as_ref().filter(ours) else { return Ok(0) };
        let mut removed = 0;
        for dead in owner::dead_in(folder, PLACE)? {
            let prefix = dead.name_prefix();
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
            dead.swept(PLACE)?;
        }
        Ok(removed)
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the folder one that nobody else can open. A link in its place would lead elsewhere.
fn private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.parent().unwrap_or(folder))?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other,
    }
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Err(io::Error::other("it is not a folder; remove it"));
    }
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// A file that was not there.
fn fresh(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_is_its_users_alone_and_gone_at_the_end() {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("deep/output");
        let outputs = Outputs::at(Some(folder.clone()));
        let path = outputs.write("a", "one").unwrap();
        assert_eq!((mode(&folder), mode(&path), fs::read(&path).unwrap()), (0o700, 0o600, b"one".to_vec()));
        assert_eq!(outputs.write("a", "one").unwrap(), path, "the same run, the same file");
        assert_ne!(outputs.write("b", "two").unwrap(), path);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        for number in 0..LIMIT {
            outputs.write(&number.to_string(), "").unwrap();
        }
        assert_eq!((mode(&folder), files(&folder)), (0o700, LIMIT + 1), "the lock beside them");
        outputs.end();
        assert_eq!(files(&folder), 0);
        outputs.write("c", "late").unwrap_err();
    }

    #[test]
    fn a_link_in_the_folders_place_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let elsewhere = work.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let folder = work.path().join("output");
        symlink(&elsewhere, &folder).unwrap();
        let error = Outputs::at(Some(folder)).write("a", "one").unwrap_err().to_string();
        assert!(error.ends_with("output: it is not a folder; remove it"), "{error}");
        assert_eq!(files(&elsewhere), 0);
        assert!(fresh(&elsewhere.join("new")).is_ok());
        symlink(elsewhere.join("target"), elsewhere.join("planted")).unwrap();
        assert_eq!(fresh(&elsewhere.join("planted")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(Outputs::default().write("a", "one").is_err());
    }

    #[test]
    fn what_a_killed_server_left_is_swept_and_a_living_ones_is_not() {
        let work = tempfile::tempdir().unwrap();
        let living = Outputs::at(Some(work.path().to_owned()));
        living.write("a", "one").unwrap();
        let target = work.path().join("target");
        fs::write(&target, "kept").unwrap();
        fs::write(work.path().join("00112233445566aa.lock"), "output\n").unwrap();
        fs::write(work.path().join("runpen-00112233-0.txt"), "left").unwrap();
        symlink(&target, work.path().join("runpen-00112233-1.txt")).unwrap();
        assert_eq!(living.sweep().unwrap(), 2);
        assert_eq!(living.sweep().unwrap(), 0);
        assert_eq!((files(work.path()), fs::read(&target).unwrap()), (3, b"kept".to_vec()));
        assert_eq!(Outputs::at(Some(work.path().join("none"))).sweep().unwrap(), 0);
    }
}
