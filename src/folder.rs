//! The files of a program's folder, when a person asks for them: one bounded reader. It reads regular files below the folder
//! and nothing else: no links, pipes, devices, nothing hidden, nothing that `.gitignore` names. What is too much is refused
//! with one line and not cut, since half a program is no program. Of a file that an editor has open the editor's text is
//! taken, but only where the file itself would have been.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::files;
use crate::plan::{SOURCE_LIMIT, SourceFile};
use crate::text::Text;

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
    /// A chosen file is none of those that may be sent.
    #[error("{name} is no file to send along from {folder}: it is not there, hidden, a link or named in .gitignore", folder = .folder.display())]
    NotThere {
        /// As it was chosen.
        name: String,
        /// The program's folder.
        folder: PathBuf,
    },
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

/// Which files come along.
#[derive(Debug, Default)]
pub struct Wish {
    /// These alone, relative to the program's folder; all without it.
    pub only: Option<Vec<String>>,
    /// Texts that an editor has open, and where they are kept.
    pub open: Vec<(PathBuf, Text)>,
}

impl Wish {
    /// The chosen names as a walk finds them.
    fn chosen(&self) -> Option<BTreeSet<String>> {
        let plain = |name: &String| name.strip_prefix("./").unwrap_or(name).to_owned();
        self.only.as_ref().map(|names| names.iter().map(plain).collect())
    }

    /// The open texts by where they really are, where that is below `root`.
    fn texts(&self, root: &Path) -> HashMap<PathBuf, &Text> {
        let place = |path: &Path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        let texts = self.open.iter().filter_map(|(path, text)| Some((place(path)?, text)));
        texts.filter(|(path, _)| path.starts_with(root)).collect()
    }
}

/// A file of the program's folder by a path that a person gave on the command line, as [`Wish::only`] names it.
pub fn named_beside(program: &Path, file: &Path) -> Result<String, FolderError> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.canonicalize(),
        _ => Path::new(".").canonicalize(),
    };
    let unreadable =
        |error: std::io::Error| FolderError::Unreadable { path: file.to_owned(), reason: error.to_string() };
    let root = parent(program).map_err(unreadable)?;
    let place = parent(file).map_err(unreadable)?.join(file.file_name().unwrap_or_default());
    let outside = || FolderError::NotThere { name: file.display().to_string(), folder: root.clone() };
    let name = place.strip_prefix(&root).map_err(|_| outside())?.to_str();
    Ok(name.ok_or_else(|| FolderError::Name(file.to_owned()))?.replace(std::path::MAIN_SEPARATOR, "/"))
}

/// Reads the files below the folder of `program` that are wished for, but not `program` itself, whose text the asker has.
pub fn beside(program: &Path, wish: &Wish) -> Result<Vec<SourceFile>, FolderError> {
    let parent = program.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unreadable = |path: &Path, reason: &dyn std::fmt::Display| FolderError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let root = parent.canonicalize().map_err(|error| unreadable(parent, &error))?;
    let own = program.file_name().map(|name| root.join(name));
    let chosen = wish.chosen();
    let texts = wish.texts(&root);
    let mut walk = ignore::WalkBuilder::new(&root);
    walk.follow_links(false)
        .require_git(false)
        .git_global(false)
        .max_depth(Some(DEPTH))
        .sort_by_file_name(std::cmp::Ord::cmp);
    if let Some(chosen) = chosen.clone() {
        // Nothing else is even gone into: the folder around two chosen files may be a large one.
        let root = root.clone();
        walk.filter_entry(move |entry| {
            let relative = entry.path().strip_prefix(&root).unwrap_or(entry.path());
            chosen.iter().any(|name| Path::new(name).starts_with(relative))
        });
    }
    let mut found: Vec<SourceFile> = Vec::new();
    let mut room = SOURCE_LIMIT;
    for (count, entry) in walk.build().enumerate() {
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
        match texts.get(entry.path()) {
            Some(text) => content.extend_from_slice(text.as_str().as_bytes()),
            None => {
                file.take(room + 1).read_to_end(&mut content).map_err(|error| unreadable(entry.path(), &error))?;
            }
        }
        room = room.checked_sub(content.len() as u64).ok_or_else(|| FolderError::TooLarge(root.clone()))?;
        found.push(SourceFile { path, content });
    }
    let own = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let missing = |name: &&String| *name != own && !found.iter().any(|file| file.path == **name);
    if let Some(name) = chosen.iter().flatten().find(missing) {
        return Err(FolderError::NotThere { name: name.clone(), folder: root });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        beside(&folder.join("main.py"), &Wish::default()).unwrap().into_iter().map(|file| file.path).collect()
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
        }
        #[cfg(target_os = "linux")]
        {
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

        let choose = |only: &[&str]| {
            let only = Some(only.iter().map(|&name| name.to_owned()).collect());
            beside(&folder.path().join("main.py"), &Wish { only, ..Wish::default() })
        };
        let found: Vec<_> = choose(&["./part/deep.py", "main.py"]).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(found, ["part/deep.py"]);
        let outside = outside.path().join("secret").display().to_string();
        for bad in ["none.py", "left.out", ".hidden", "link.py", "part", "../secret", "part/../helper.py", "", &outside]
        {
            let error = choose(&["helper.py", bad]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{bad} is no file to send along from ")), "{error}");
        }
        let name = |file: &str| named_beside(&folder.path().join("main.py"), &folder.path().join(file));
        assert_eq!(name("part/../part/deep.py").unwrap(), "part/deep.py");
        assert!(name("../secret").is_err());
    }

    #[test]
    fn an_editor_s_text_takes_the_place_of_its_file_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["helper.py", "left.out", ".gitignore"] {
            std::fs::write(at(name), "*.out\n").unwrap();
        }
        let open =
            ["helper.py", "left.out", "fresh.py", "../beyond.py"].map(|name| (at(name), Text::new("edited"))).into();
        let found = beside(&at("main.py"), &Wish { only: None, open }).unwrap();
        assert_eq!(found, [SourceFile { path: "helper.py".to_owned(), content: b"edited".to_vec() }]);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let large = std::fs::File::create(folder.path().join("large.bin")).unwrap();
        // A file with nothing in it but its size.
        large.set_len(1 << 30).unwrap();
        let error = beside(&folder.path().join("main.py"), &Wish::default()).unwrap_err();
        assert!(error.to_string().contains("larger than 8 MiB together"), "{error}");
        std::fs::remove_file(folder.path().join("large.bin")).unwrap();
        for number in 0..=FILE_LIMIT {
            std::fs::write(folder.path().join(format!("{number}.txt")), "").unwrap();
        }
        let error = beside(&folder.path().join("main.py"), &Wish::default()).unwrap_err();
        assert!(error.to_string().contains("more than 500 files"), "{error}");
    }
}
