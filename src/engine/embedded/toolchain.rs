//! What stands in for an image: the machine's own toolchain, found under the sandbox's `PATH`, named with its version. That
//! is what `/usr` has, and before it the folders that the user's own settings list (`homes`).
//!
//! An image reference is understood by the name of its repository alone: `python:3.13-alpine` asks for `python3`,
//! whatever its version here. A repository that is not in the table asks for nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::homes;
use crate::engine::EngineError;

/// `PATH` of a sandbox, after the folders that settings list.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What a repository's images are used for here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// Last part of the repository's name.
    repositories: &'static [&'static str],
    /// Programs, the one that tells the version first.
    programs: &'static [&'static str],
    /// What makes it tell.
    version: &'static str,
    /// Packages of Debian, Fedora, Alpine.
    packages: [&'static str; 3],
}

const TABLE: &[Toolchain] = &[
    row(&["python"], &["python3"], "--version", ["python3", "python3", "python3"]),
    row(&["node"], &["node"], "--version", ["nodejs", "nodejs", "nodejs"]),
    row(
        &["java", "openjdk", "eclipse-temurin", "amazoncorretto"],
        &["java", "javac"],
        "-version",
        ["default-jdk-headless", "java-latest-openjdk-devel", "openjdk21-jdk"],
    ),
    row(&["gcc"], &["g++"], "--version", ["g++", "gcc-c++", "g++"]),
    row(&["golang", "go"], &["go"], "version", ["golang", "golang", "go"]),
    row(&["shell", "alpine", "debian", "ubuntu", "busybox"], &["sh"], "", ["dash", "bash", "busybox"]),
    row(&["bash"], &["bash"], "--version", ["bash", "bash", "bash"]),
    row(&["deno"], &["deno"], "--version", ["deno", "deno", "deno"]),
    row(&["ruby"], &["ruby"], "--version", ["ruby", "ruby", "ruby"]),
    row(&["php"], &["php"], "--version", ["php-cli", "php-cli", "php"]),
    row(&["perl"], &["perl"], "-v", ["perl", "perl", "perl"]),
    row(&["lua"], &["lua"], "-v", ["lua5.4", "lua", "lua5.4"]),
    row(&["r-base", "r-ver"], &["Rscript"], "--version", ["r-base-core", "R-core", "R"]),
    row(&["sqlite3", "sqlite"], &["sqlite3"], "--version", ["sqlite3", "sqlite", "sqlite"]),
    row(&["rust"], &["rustc", "cc"], "--version", ["rustc", "rust", "rust"]),
    row(&["haskell"], &["ghc"], "--version", ["ghc", "ghc", "ghc"]),
    row(&["opam", "ocaml"], &["ocamlopt"], "-version", ["ocaml-nox", "ocaml", "ocaml"]),
    row(&["erlang"], &["erl"], "", ["erlang-base", "erlang-erts", "erlang"]),
    row(&["elixir"], &["elixir"], "--version", ["elixir", "elixir", "elixir"]),
    row(&["nim"], &["nim"], "--version", ["nim", "nim", "nim"]),
    row(&["ldc-ubuntu", "ldc"], &["ldc2"], "--version", ["ldc", "ldc", "ldc"]),
    row(&["swipl"], &["swipl"], "--version", ["swi-prolog-nox", "pl", "swi-prolog"]),
    row(&["zig"], &["zig"], "version", ["zig", "zig", "zig"]),
    row(&["mono"], &["mono", "mcs"], "--version", ["mono-mcs", "mono-core", "mono"]),
    row(&["kotlin"], &["java", "kotlinc"], "-version", ["kotlin", "kotlin", "kotlin"]),
    row(&["scala-sbt", "scala"], &["scala"], "-version", ["scala", "scala", "scala"]),
    row(&["swift"], &["swiftc"], "--version", ["swiftlang", "swift-lang", "swift"]),
    row(&["julia"], &["julia"], "--version", ["julia", "julia", "julia"]),
];

const fn row(
    repositories: &'static [&'static str],
    programs: &'static [&'static str],
    version: &'static str,
    packages: [&'static str; 3],
) -> Toolchain {
    Toolchain { repositories, programs, version, packages }
}

/// A toolchain that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where its first program is.
    pub(super) program: PathBuf,
    /// What makes that tell its version, where it can.
    pub(super) version: Option<&'static str>,
}

/// Where toolchains are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    /// `PATH` of a sandbox.
    pub(super) path: String,
    /// Folders outside `/usr` that a sandbox shows.
    pub(super) folders: Vec<PathBuf>,
    /// Why listed ones are not among them.
    unusable: Vec<String>,
}

impl Search {
    /// In `/usr`, and before it in what is in use of the folders listed. Looked up each time: a user may choose another
    /// version at any time.
    pub(super) fn new(listed: &[PathBuf]) -> Self {
        let home = if listed.is_empty() { None } else { dirs::home_dir() };
        let (folders, unusable) = homes::resolve(listed, home.as_deref());
        let mut path: Vec<String> = folders.iter().map(|folder| folder.join("bin").display().to_string()).collect();
        path.push(PATH.to_owned());
        let path = path.join(":");
        Self { path, folders, unusable }
    }

    /// The toolchain that stands in for an image: `None` if the image asks for nothing in particular.
    pub(super) fn find(&self, image: &str) -> Result<Option<Found>, EngineError> {
        let name = repository(image);
        let Some(toolchain) = TABLE.iter().find(|toolchain| toolchain.repositories.contains(&name)) else {
            return Ok(None);
        };
        let mut first = None;
        for program in toolchain.programs {
            let Some(path) = self.look_up(program) else { return Err(toolchain.missing(program, self)) };
            first.get_or_insert(path);
        }
        Ok(first.map(|program| Found { program, version: Some(toolchain.version).filter(|word| !word.is_empty()) }))
    }

    /// The first executable of that name whose file really lies where a sandbox can see it.
    fn look_up(&self, program: &str) -> Option<PathBuf> {
        self.path.split(':').map(|folder| Path::new(folder).join(program)).find(|candidate| {
            let executable =
                fs::metadata(candidate).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
            executable && candidate.canonicalize().is_ok_and(|real| self.shows(&real))
        })
    }

    fn shows(&self, real: &Path) -> bool {
        let always = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store", "/gnu/store"];
        always.iter().any(|folder| real.starts_with(folder))
            || self.folders.iter().any(|folder| real.starts_with(folder))
    }
}

impl Toolchain {
    fn missing(&self, program: &str, search: &Search) -> EngineError {
        let [debian, fedora, alpine] = self.packages;
        let unusable =
            search.unusable.first().map(|why| format!("; of the toolchains listed, {why}")).unwrap_or_default();
        EngineError::ToolchainMissing {
            reason: format!(
                "the embedded engine uses this machine's own {program}, and none is in {}{unusable}",
                search.path
            ),
            advice: format!(
                "install it: 'apt install {debian}' on Debian and Ubuntu, 'dnf install {fedora}' on Fedora, 'apk add {alpine}' on Alpine"
            ),
        }
    }
}

/// `registry:5000/library/python:3.13@sha256:…` → `python`.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_understood_by_its_repository() {
        assert_eq!(repository("python:3.13-alpine"), "python");
        assert_eq!(repository("localhost:5000/runpen-test/golang:1.24@sha256:00"), "golang");
        assert_eq!(repository("gcc"), "gcc");
        assert_eq!(Search::new(&[]).find("mine/unknown:1").unwrap(), None);
    }

    #[test]
    fn every_built_in_language_has_a_row() {
        for language in crate::language::Languages::built_in().0.values() {
            let name = repository(&language.image);
            assert!(TABLE.iter().any(|row| row.repositories.contains(&name)), "{}", language.image);
        }
    }

    #[test]
    fn the_shell_of_this_machine_is_found() {
        let found = Search::new(&[]).find("alpine:3.22").unwrap().unwrap();
        assert!(found.program.ends_with("sh") && found.version.is_none());
    }

    #[test]
    fn a_program_outside_the_sandbox_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("python3");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let mut search = Search { path, folders: Vec::new(), unusable: Vec::new() };
        assert_eq!(search.look_up("python3"), None);
        search.folders.push(folder.path().canonicalize().unwrap());
        assert_eq!(search.look_up("python3"), Some(program));
    }

    #[test]
    fn a_missing_one_names_the_packages() {
        let search = Search::new(&[PathBuf::from("/nowhere/.pyenv")]);
        let text = TABLE[3].missing("g++", &search).to_string();
        assert!(text.contains("apt install g++") && text.contains("dnf install gcc-c++"), "{text}");
        assert!(text.contains("/nowhere/.pyenv: no such folder"), "{text}");
    }
}
