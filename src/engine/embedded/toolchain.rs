//! What stands in for an image: the machine's own toolchain, found under the sandbox's `PATH`, named with its version.
//!
//! An image reference is understood by the name of its repository alone: `python:3.13-alpine` asks for `python3`,
//! whatever its version here. A repository that is not in the table asks for nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::engine::EngineError;

/// `PATH` of every sandbox.
pub(super) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

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

const TABLE: [Toolchain; 6] = [
    Toolchain {
        repositories: &["python"],
        programs: &["python3"],
        version: "--version",
        packages: ["python3", "python3", "python3"],
    },
    Toolchain {
        repositories: &["node"],
        programs: &["node"],
        version: "--version",
        packages: ["nodejs", "nodejs", "nodejs"],
    },
    Toolchain {
        repositories: &["java", "openjdk", "eclipse-temurin", "amazoncorretto"],
        programs: &["java", "javac"],
        version: "-version",
        packages: ["default-jdk-headless", "java-latest-openjdk-devel", "openjdk21-jdk"],
    },
    Toolchain { repositories: &["gcc"], programs: &["g++"], version: "--version", packages: ["g++", "gcc-c++", "g++"] },
    Toolchain {
        repositories: &["golang", "go"],
        programs: &["go"],
        version: "version",
        packages: ["golang", "golang", "go"],
    },
    Toolchain {
        repositories: &["shell", "alpine", "debian", "ubuntu", "bash", "busybox"],
        programs: &["sh"],
        version: "",
        packages: ["dash", "bash", "busybox"],
    },
];

/// A toolchain that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where its first program is.
    pub(super) program: PathBuf,
    /// What makes that tell its version, where it can.
    pub(super) version: Option<&'static str>,
}

/// The toolchain that stands in for an image: `None` if the image asks for nothing in particular.
pub(super) fn find(image: &str) -> Result<Option<Found>, EngineError> {
    let name = repository(image);
    let Some(toolchain) = TABLE.iter().find(|toolchain| toolchain.repositories.contains(&name)) else {
        return Ok(None);
    };
    let mut first = None;
    for program in toolchain.programs {
        let Some(path) = look_up(program, PATH) else { return Err(toolchain.missing(program)) };
        first.get_or_insert(path);
    }
    Ok(first.map(|program| Found { program, version: Some(toolchain.version).filter(|word| !word.is_empty()) }))
}

impl Toolchain {
    fn missing(&self, program: &str) -> EngineError {
        let [debian, fedora, alpine] = self.packages;
        EngineError::ToolchainMissing {
            reason: format!("the embedded engine uses this machine's own {program}, and none is in {PATH}"),
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

/// The first executable of that name whose file really lies where a sandbox can see it.
fn look_up(program: &str, path: &str) -> Option<PathBuf> {
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|candidate| {
        let executable =
            fs::metadata(candidate).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
        executable && candidate.canonicalize().is_ok_and(|real| visible(&real))
    })
}

fn visible(real: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store", "/gnu/store"]
        .iter()
        .any(|folder| real.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_understood_by_its_repository() {
        assert_eq!(repository("python:3.13-alpine"), "python");
        assert_eq!(repository("localhost:5000/runpen-test/golang:1.24@sha256:00"), "golang");
        assert_eq!(repository("gcc"), "gcc");
        assert_eq!(find("mine/unknown:1").unwrap(), None);
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
        let found = find("alpine:3.22").unwrap().unwrap();
        assert!(found.program.ends_with("sh") && found.version.is_none());
    }

    #[test]
    fn a_program_outside_the_sandbox_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("python3");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(look_up("python3", folder.path().to_str().unwrap()), None);
    }

    #[test]
    fn a_missing_one_names_the_packages() {
        let text = TABLE[3].missing("g++").to_string();
        assert!(text.contains("apt install g++") && text.contains("dnf install gcc-c++"), "{text}");
    }
}
