//! Toolchains that a user keeps outside `/usr`: which folder of pyenv's, nvm's, rustup's or SDKMAN's home holds what is in
//! use, and which folders a sandbox may never show. Only what the user's own settings list is looked at.
//!
//! A home is not shown whole: it also has caches, histories and keys of registries. It must not know how one is mounted.

use std::fs;
use std::path::{Path, PathBuf};

/// What a sandbox covers with something of its own, or must not have of the host's.
const NEVER: [&str; 8] = ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/etc", "/runpen"];

/// The folders in use of those that are listed, with `~` for `home`; and why a listed one is none.
pub(super) fn resolve(listed: &[PathBuf], home: Option<&Path>) -> (Vec<PathBuf>, Vec<String>) {
    resolve_but(&NEVER, listed, home)
}

fn resolve_but(never: &[&str], listed: &[PathBuf], home: Option<&Path>) -> (Vec<PathBuf>, Vec<String>) {
    let (mut folders, mut unusable) = (Vec::new(), Vec::new());
    for listed in listed {
        let folder = match (listed.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => listed.clone(),
        };
        match in_use(&folder)
            .and_then(|found| found.iter().map(|one| showable(one, home, never)).collect::<Result<Vec<_>, _>>())
        {
            Ok(found) => folders.extend(found),
            Err(why) => unusable.push(format!("{}: {why}", listed.display())),
        }
    }
    (folders, unusable)
}

/// The folders with a `bin` that a home has in use; a folder that is no known home is a toolchain itself.
fn in_use(home: &Path) -> Result<Vec<PathBuf>, String> {
    if !home.is_dir() {
        return Err("no such folder".to_owned());
    }
    let found = if home.join("versions/node").is_dir() {
        nvm(home)?
    } else if home.join("versions").is_dir() {
        pyenv(home)?
    } else if home.join("toolchains").is_dir() {
        rustup(home)?
    } else if home.join("candidates").is_dir() {
        folders_in(&home.join("candidates")).into_iter().map(|candidate| candidate.join("current")).collect()
    } else {
        vec![home.to_owned()]
    };
    let found: Vec<PathBuf> = found.into_iter().filter(|folder| folder.join("bin").is_dir()).collect();
    if found.is_empty() { Err("no toolchain with a folder bin is in it".to_owned()) } else { Ok(found) }
}

/// `pyenv global` writes the names of versions into a file, the first one first.
fn pyenv(home: &Path) -> Result<Vec<PathBuf>, String> {
    let text = fs::read_to_string(home.join("version")).unwrap_or_default();
    let names: Vec<&str> = text.split_whitespace().filter(|name| plain(name)).collect();
    if names.is_empty() {
        return Err("pyenv has no version chosen; choose one with 'pyenv global', or list its folder".to_owned());
    }
    Ok(names.into_iter().map(|name| home.join("versions").join(name)).collect())
}

/// `nvm alias default` writes a version or the beginning of one; anything else there stands for the newest.
fn nvm(home: &Path) -> Result<Vec<PathBuf>, String> {
    let alias = fs::read_to_string(home.join("alias/default")).unwrap_or_default();
    let wanted = numbers(alias.trim());
    let versions = folders_in(&home.join("versions/node"));
    let version = |folder: &PathBuf| numbers(&folder.file_name().unwrap_or_default().to_string_lossy());
    let newest = |wanted: &[u64]| {
        versions.iter().filter(|folder| version(folder).starts_with(wanted)).max_by_key(|folder| version(folder))
    };
    let found = newest(&wanted).or_else(|| newest(&[]));
    found.map(|folder| vec![folder.clone()]).ok_or_else(|| "nvm has no version installed".to_owned())
}

/// `rustup default` writes the name of a toolchain.
fn rustup(home: &Path) -> Result<Vec<PathBuf>, String> {
    let text = fs::read_to_string(home.join("settings.toml")).unwrap_or_default();
    let settings: toml::Table = text.parse().unwrap_or_default();
    let name = settings.get("default_toolchain").and_then(toml::Value::as_str).filter(|name| plain(name));
    name.map(|name| vec![home.join("toolchains").join(name)])
        .ok_or_else(|| "rustup has no default; choose one with 'rustup default', or list its folder".to_owned())
}

/// A name that leads nowhere else.
fn plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

/// The numbers of a version: `v22.3.0`.
fn numbers(text: &str) -> Vec<u64> {
    text.trim_start_matches('v').split('.').map_while(|number| number.parse().ok()).collect()
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Where the folder really is, unless a sandbox may not show that.
fn showable(folder: &Path, home: Option<&Path>, never: &[&str]) -> Result<PathBuf, String> {
    let real = folder.canonicalize().map_err(|error| error.to_string())?;
    let covered = never.iter().find(|never| real.starts_with(never) || Path::new(never).starts_with(&real));
    if let Some(covered) = covered {
        return Err(format!("{} cannot be shown: a sandbox has its own {covered}", real.display()));
    }
    let home = home.and_then(|home| home.canonicalize().ok());
    if home.is_some_and(|home| home.starts_with(&real))
        || ["/home", "/root", "/var"].iter().any(|whole| real == Path::new(whole))
    {
        return Err(format!("{} is more than a toolchain; list the folder that holds its bin", real.display()));
    }
    if !real.to_string_lossy().bytes().all(|byte| byte > b' ' && byte != b':' && byte != 0x7f) {
        return Err(format!("{:?} has a colon or a space in it, which PATH cannot have", real.display()));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(home: &Path, folders: &[&str], files: &[(&str, &str)]) {
        for folder in folders {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        for (file, text) in files {
            fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
            fs::write(home.join(file), text).unwrap();
        }
    }

    fn found(home: &Path, listed: &str) -> Result<Vec<String>, String> {
        // Tests make their homes where a real one could not be shown.
        let temporary = std::env::temp_dir();
        let never: Vec<&str> = NEVER.into_iter().filter(|never| !temporary.starts_with(never)).collect();
        let (folders, unusable) = resolve_but(&never, &[PathBuf::from(listed)], Some(home));
        let top = home.canonicalize().unwrap();
        let short = |folder: &PathBuf| folder.strip_prefix(&top).unwrap_or(folder).display().to_string();
        unusable.into_iter().next().map_or_else(|| Ok(folders.iter().map(short).collect()), Err)
    }

    #[test]
    fn each_kind_of_home_gives_the_version_in_use() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        make(
            home,
            &[".pyenv/versions/3.13.1/bin", ".pyenv/versions/3.9.0/bin", ".pyenv/bin"],
            &[(".pyenv/version", "3.13.1\n")],
        );
        assert_eq!(found(home, "~/.pyenv").unwrap(), [".pyenv/versions/3.13.1"]);
        make(
            home,
            &[".nvm/versions/node/v9.1.0/bin", ".nvm/versions/node/v22.3.0/bin", ".nvm/versions/node/v22.10.0/bin"],
            &[],
        );
        for (alias, version) in
            [("22", "v22.10.0"), ("v9.1.0", "v9.1.0"), ("lts/*", "v22.10.0"), ("node", "v22.10.0"), ("22.3", "v22.3.0")]
        {
            make(home, &[], &[(".nvm/alias/default", alias)]);
            assert_eq!(found(home, "~/.nvm").unwrap(), [format!(".nvm/versions/node/{version}")], "{alias}");
        }
        make(
            home,
            &[".rustup/toolchains/stable-x/bin"],
            &[(".rustup/settings.toml", "default_toolchain = 'stable-x'\n")],
        );
        assert_eq!(found(home, "~/.rustup").unwrap(), [".rustup/toolchains/stable-x"]);
        make(
            home,
            &[".sdkman/candidates/java/21/bin", ".sdkman/candidates/kotlin/2.0/bin", ".sdkman/candidates/empty"],
            &[],
        );
        for (name, version) in [("java", "21"), ("kotlin", "2.0")] {
            std::os::unix::fs::symlink(version, home.join(format!(".sdkman/candidates/{name}/current"))).unwrap();
        }
        assert_eq!(found(home, "~/.sdkman").unwrap(), [".sdkman/candidates/java/21", ".sdkman/candidates/kotlin/2.0"]);
        make(home, &["zig-0.14/bin"], &[]);
        assert_eq!(found(home, "~/zig-0.14").unwrap(), ["zig-0.14"]);
    }

    #[test]
    fn what_is_no_toolchain_says_why() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert!(found(home, "~/none").unwrap_err().contains("no such folder"));
        make(home, &["bin", ".pyenv/versions/3.1/bin", ".rustup/toolchains/x/bin", "empty"], &[]);
        assert!(found(home, "~/.pyenv").unwrap_err().contains("pyenv global"));
        assert!(found(home, "~/.rustup").unwrap_err().contains("rustup default"));
        assert!(found(home, "~/empty").unwrap_err().contains("folder bin"));
        make(home, &["bin"], &[(".pyenv/version", "../../..\n")]);
        assert!(found(home, "~/.pyenv").unwrap_err().contains("pyenv global"), "a name that climbs is none");
    }

    #[test]
    fn a_home_itself_and_what_a_sandbox_has_of_its_own_are_never_shown() {
        let home = tempfile::tempdir().unwrap();
        make(home.path(), &["bin", "x/bin"], &[]);
        assert!(found(home.path(), "~").unwrap_err().contains("more than a toolchain"));
        let above = home.path().parent().unwrap().to_str().unwrap();
        assert!(
            found(&home.path().join("x"), &format!("{above}/{}", home.path().file_name().unwrap().display())).is_err()
        );
        std::os::unix::fs::symlink("/", home.path().join("root")).unwrap();
        for listed in ["/", "~/root"] {
            assert!(found(home.path(), listed).unwrap_err().contains("cannot be shown"), "{listed}");
        }
        let (shown, unusable) = resolve(&["/tmp".into()], Some(home.path()));
        assert!(shown.is_empty() && unusable[0].contains("/tmp: "), "{unusable:?}");
        make(home.path(), &["tmp/bin"], &[]);
        let below = home.path().join("tmp");
        let below = below.to_str().unwrap();
        let (shown, unusable) = resolve_but(&[below], &[below.into()], Some(home.path()));
        assert!(shown.is_empty() && unusable[0].contains(&format!("a sandbox has its own {below}")), "{unusable:?}");
    }
}
