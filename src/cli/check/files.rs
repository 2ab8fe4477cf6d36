//! Finds the documents of some paths and reads each with care: a repository may have pipes, devices, links that lead
//! elsewhere and files of a hundred megabytes where a page is looked for.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::config::Size;
use crate::document::Format;
use crate::files;
use crate::plan::SOURCE_LIMIT;

/// A document that is to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where it is, as it is shown.
    pub(super) path: PathBuf,
    /// How it is written.
    pub(super) format: Format,
    /// Somebody named this very file, so it may be a link.
    pub(super) named: bool,
}

/// What some paths lead to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Documents, in order of their paths, each once.
    pub(super) documents: Vec<Candidate>,
    /// What in a folder could not be looked at, a line each.
    pub(super) refused: Vec<String>,
}

/// The documents of paths. A folder is searched for pages; code with pages in its comments is checked when it is named. An
/// error is about a path that was named.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, String> {
    let mut found = Found::default();
    for path in paths {
        let metadata =
            std::fs::metadata(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
        if metadata.is_dir() {
            walk(path, &mut found);
            continue;
        }
        let format = Format::of(None, path).ok_or_else(|| {
            let known = Format::extensions().join(", ");
            format!("{} is no document of a known format: its extension is none of {known}", path.display())
        })?;
        if !metadata.is_file() {
            return Err(format!("{} is not a regular file", path.display()));
        }
        found.documents.push(Candidate { path: path.clone(), format, named: true });
    }
    found.documents.sort_by(|one, other| one.path.cmp(&other.path));
    found.documents.dedup_by(|one, other| one.path == other.path);
    Ok(found)
}

fn walk(folder: &Path, found: &mut Found) {
    // Links are not followed: what they lead to belongs to somebody else, or is found anyway.
    let walker = WalkBuilder::new(folder).require_git(false).follow_links(false).build();
    for entry in walker {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.refused.push(format!("failed to look at a part of {}: {error}", folder.display()));
                continue;
            }
        };
        let Some(kind) = entry.file_type() else { continue };
        let Some(format) = Format::of(None, entry.path()).filter(|format| format.is_prose()) else { continue };
        if kind.is_file() {
            found.documents.push(Candidate { path: entry.into_path(), format, named: false });
        } else if !kind.is_dir() && !kind.is_symlink() {
            found.refused.push(format!("{} is not a regular file", entry.path().display()));
        }
    }
}

/// The text of a document.
pub(super) fn read(candidate: &Candidate) -> Result<String, String> {
    let shown = candidate.path.display();
    let failed = |error: std::io::Error| format!("failed to read {shown}: {error}");
    let file = files::open(&candidate.path, candidate.named).map_err(failed)?;
    // Asked of what is open, so that nobody can put something else in its place meanwhile.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    let too_large =
        || format!("{shown} is larger than {}, the most that a document may have", Size::from_bytes(SOURCE_LIMIT));
    if metadata.len() > SOURCE_LIMIT {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(SOURCE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > SOURCE_LIMIT {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|_| format!("{shown} is not a text in UTF-8"))
}

/// Puts a new text in the place of a document that still is what it was: whole or not at all, with its mode.
pub(super) fn replace(candidate: &Candidate, old: &str, new: &str) -> Result<(), String> {
    let shown = candidate.path.display();
    if read(candidate)? != old {
        return Err(format!("{shown} changed while its blocks ran, and was left alone"));
    }
    let failed = |error: std::io::Error| format!("failed to write {shown}: {error}");
    // A link that was named stays one.
    let path = std::fs::canonicalize(&candidate.path).map_err(failed)?;
    let metadata = std::fs::metadata(&path).map_err(failed)?;
    if metadata.permissions().readonly() {
        return Err(format!("{shown} is read-only, and was left alone"));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(".{name}.{}", crate::engine::owner::random_id::<6>()));
    let write = || {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.set_permissions(metadata.permissions())?;
        file.write_all(new.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(path: PathBuf) -> Candidate {
        Candidate { path, format: Format::Markdown, named: false }
    }

    #[test]
    fn a_folder_gives_its_pages_and_nothing_that_is_ignored_hidden_or_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.md", "a.mdx", "c.txt", "skip.md", ".hidden.md", "code.py"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::fs::create_dir(at("sub.md")).unwrap();
        std::fs::write(at("sub.md/d.qmd"), "x").unwrap();
        std::fs::write(at(".gitignore"), "skip.md\n").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", at("link.md")).unwrap();
        let found = find(&[folder.path().to_owned(), at("b.md")]).unwrap();
        let names: Vec<_> = found.documents.iter().map(|one| one.path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("a.mdx"), Path::new("b.md"), Path::new("sub.md/d.qmd")]);
        assert!(find(&[at("none.md")]).unwrap_err().starts_with("failed to read"));
        assert!(find(&[at("c.txt")]).unwrap_err().contains("is no document of a known format"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_page_is_refused_by_a_line_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let status = std::process::Command::new("mkfifo").arg(at("pipe.md")).status().unwrap();
        assert!(status.success());
        std::fs::File::create(at("large.md")).unwrap().set_len(100 << 20).unwrap();
        std::fs::write(at("binary.md"), b"\xff\xfe").unwrap();
        std::fs::write(at("good.md"), "x").unwrap();
        std::os::unix::fs::symlink(at("good.md"), at("link.md")).unwrap();
        for (name, words) in [
            ("pipe.md", "is not a regular file"),
            ("large.md", "is larger than 8M"),
            ("binary.md", "is not a text in UTF-8"),
            ("link.md", "failed to read"),
            ("none.md", "failed to read"),
        ] {
            let error = read(&candidate(at(name))).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(read(&Candidate { named: true, ..candidate(at("link.md")) }).unwrap(), "x");
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found.documents.len(), 3);
        assert!(found.refused[0].ends_with("pipe.md is not a regular file"));
        assert!(find(&[at("pipe.md")]).unwrap_err().ends_with("pipe.md is not a regular file"));
    }

    #[cfg(unix)]
    #[test]
    fn a_new_text_keeps_the_mode_and_a_changed_document_is_left_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let one = candidate(path.clone());
        replace(&one, "old", "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(replace(&one, "old", "newer").unwrap_err().contains("changed while its blocks ran"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
        assert!(replace(&one, "new", "newer").unwrap_err().contains("is read-only"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
