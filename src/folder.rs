//! The files of a program's folder, when a person asks for them: one bounded reader. It reads regular files below the folder
//! and nothing else: no links, pipes, devices, nothing hidden, nothing that `.gitignore` names. What is too much is refused
//! with one line and not cut, since half a program is no program.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::files;
use crate::plan::{SOURCE_LIMIT, SourceFile};

/// The most files.
pub const FILE_LIMIT: usize = 500;

/// The most entries that are looked at, folders too.
const ENTRY_LIMIT: usize = 5000;

/// How deep folders are gone into.
const DEPTH: usize = 16;

/// Why a folder is not sent.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Its files together are larger than [`SOURCE_LIMIT`].
    #[error("the files in {0} are larger than {limit} MiB together; name the large ones in .gitignore", limit = SOURCE_LIMIT / crate::plan::MIB)]
    TooLarge(PathBuf),
    /// It has too many files.
    #[error("{0} has more than {FILE_LIMIT} files; name what the program does not need in .gitignore")]
    TooMany(PathBuf),
    /// A name that the sandbox cannot have.
    #[error("{0} has a name that is not text in UTF-8")]
    Name(PathBuf),
    /// It cannot be read.
    #[error("failed to read {path}: {reason}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Reads every file below the folder of `program`, but not `program` itself, whose text the asker has.
pub fn beside(program: &Path) -> Result<Vec<SourceFile>, FolderError> {
    let parent = program.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unreadable = |path: &Path, reason: &dyn std::fmt::Display| FolderError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let root = parent.canonicalize().map_err(|error| unreadable(parent, &error))?;
    let own = program.file_name().map(|name| root.join(name));
    let walk = ignore::WalkBuilder::new(&root)
        .follow_links(false)
        .require_git(false)
        .git_global(false)
        .max_depth(Some(DEPTH))
        .sort_by_file_name(std::cmp::Ord::cmp)
        .build();
    let mut found = Vec::new();
    let mut room = SOURCE_LIMIT;
    for (count, entry) in walk.enumerate() {
        if count > ENTRY_LIMIT {
            return Err(FolderError::TooMany(root));
        }
        let entry = entry.map_err(|error| unreadable(&root, &error))?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) || Some(entry.path()) == own.as_deref() {
            continue;
        }
        if found.len() == FILE_LIMIT {
            return Err(FolderError::TooMany(root));
        }
        let relative = entry.path().strip_prefix(&root).unwrap_or(entry.path());
        let name = relative.to_str().ok_or_else(|| FolderError::Name(entry.path().to_owned()))?;
        let path = name.replace(std::path::MAIN_SEPARATOR, "/");
        let mut content = Vec::new();
        // It may have become a link or a pipe since it was looked at.
        let file = files::open(entry.path(), false).map_err(|error| unreadable(entry.path(), &error))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(unreadable(entry.path(), &"it is not a regular file"));
        }
        file.take(room + 1).read_to_end(&mut content).map_err(|error| unreadable(entry.path(), &error))?;
        room = room.checked_sub(content.len() as u64).ok_or_else(|| FolderError::TooLarge(root.clone()))?;
        found.push(SourceFile { path, content });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        beside(&folder.join("main.py")).unwrap().into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn only_plain_files_below_the_folder_come_along() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("part")).unwrap();
        for name in ["main.py", "helper.py", "part/deep.py", "left.out", ".hidden"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::fs::write(at(".gitignore"), "*.out\n").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path().join("secret"), at("link.py")).unwrap();
            std::os::unix::fs::symlink(outside.path(), at("folder")).unwrap();
            std::os::unix::fs::symlink("/dev/zero", at("zero.py")).unwrap();
            rustix::fs::mknodat(
                rustix::fs::CWD,
                at("pipe.py"),
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from(0o600),
                0,
            )
            .unwrap();
        }
        assert_eq!(names(folder.path()), ["helper.py", "part/deep.py"]);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let large = std::fs::File::create(folder.path().join("large.bin")).unwrap();
        // A file with nothing in it but its size.
        large.set_len(1 << 30).unwrap();
        let error = beside(&folder.path().join("main.py")).unwrap_err();
        assert!(error.to_string().contains("larger than 8 MiB together"), "{error}");
        std::fs::remove_file(folder.path().join("large.bin")).unwrap();
        for number in 0..=FILE_LIMIT {
            std::fs::write(folder.path().join(format!("{number}.txt")), "").unwrap();
        }
        let error = beside(&folder.path().join("main.py")).unwrap_err();
        assert!(error.to_string().contains("more than 500 files"), "{error}");
    }
}
