//! Which of the engine's runtimes starts a container: the default one, or gVisor or Kata where the user wants more between a
//! program and the kernel, and the engine lists it.

use super::connect::Kind;
use super::{About, Shared};
use crate::config::Isolation;
use crate::engine::EngineError;

/// A runtime that is not the engine's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runtime {
    /// As the engine calls it.
    pub(super) name: String,
    /// Whether it is gVisor, whose kernel is a process inside of the limits.
    pub(super) gvisor: bool,
}

/// The runtime for an isolation; `None` is the engine's default.
pub(super) async fn choose(shared: &Shared, isolation: Isolation) -> Result<Option<Runtime>, EngineError> {
    if isolation == Isolation::None {
        return Ok(None);
    }
    let about = shared.about().await?;
    let listed = |wanted| find(about, wanted, shared.kind == Kind::Podman, shared.is_near());
    let missing = |isolation: &str, advice: &str| EngineError::IsolationMissing {
        engine: shared.endpoint.clone(),
        isolation: isolation.to_owned(),
        advice: format!("{advice}, or set isolation = \"auto\""),
    };
    match isolation {
        Isolation::None => Ok(None),
        Isolation::Auto => Ok(listed(Isolation::Kata).or_else(|| listed(Isolation::Gvisor))),
        Isolation::Gvisor => listed(Isolation::Gvisor).map(Some).ok_or_else(|| {
            missing(
                "gVisor",
                "install runsc and name it in the engine's daemon.json: {\"runtimes\": {\"runsc\": {\"path\": \"/usr/bin/runsc\"}}}",
            )
        }),
        Isolation::Kata => listed(Isolation::Kata)
            .map(Some)
            .ok_or_else(|| missing("Kata Containers", "install them and name their runtime in the engine's daemon.json")),
    }
}

/// Controls that gVisor does not give, with the way to get them.
pub(super) fn missing_in_gvisor() -> impl Iterator<Item = String> {
    let files = ["/tmp", "/var/tmp", "/dev/shm", crate::plan::CODE_DIR].into_iter().map(|path| {
        format!("{path} files: gVisor bounds the bytes in a folder and not the number of files, which count towards the memory limit; leave isolation out for a bound of their own")
    });
    let others = [
        "processes: gVisor's own count has no limit, only that of the threads that stand for them; leave isolation out for an exact one",
        "shared memory: gVisor bounds System V segments by the memory limit alone; leave isolation out for a bound of their own",
        "mapped code: gVisor starts no program from a noexec folder, but maps a file of it as code; leave isolation out to refuse both",
        "memory of a child: where a child takes too much, gVisor's kernel ends with all programs in it; leave isolation out for the child to die alone",
    ];
    files.chain(others.map(str::to_owned))
}

fn find(about: &About, wanted: Isolation, podman: bool, near: bool) -> Option<Runtime> {
    let gvisor = wanted == Isolation::Gvisor;
    let mark = if gvisor { "runsc" } else { "kata" };
    // Podman lists runtimes that it has only heard of.
    let there = |path: &Option<String>| {
        !podman || near && path.as_ref().is_some_and(|path| std::path::Path::new(path).exists())
    };
    let mut names: Vec<&String> =
        about.runtimes.iter().filter(|(name, path)| name.contains(mark) && there(path)).map(|(name, _)| name).collect();
    // The plain name before variants such as `runsc-kvm`.
    names.sort_by_key(|name| (name.len(), (*name).clone()));
    names.first().map(|name| Runtime { name: (*name).clone(), gvisor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::Limits;

    fn about(names: &[&str]) -> About {
        About {
            runtime: "runc".to_owned(),
            seccomp: None,
            swap_limit: true,
            limits: Limits { memory: true, cpu: true, pids: true },
            runtimes: names.iter().map(|name| ((*name).to_owned(), Some("/nonexistent/program".to_owned()))).collect(),
        }
    }

    #[test]
    fn a_runtime_is_known_by_its_name() {
        let about = about(&["runc", "runsc-kvm", "runsc", "io.containerd.kata.v2"]);
        let gvisor = find(&about, Isolation::Gvisor, false, true).unwrap();
        assert_eq!((gvisor.name.as_str(), gvisor.gvisor), ("runsc", true));
        let kata = find(&about, Isolation::Kata, false, false).unwrap();
        assert_eq!((kata.name.as_str(), kata.gvisor), ("io.containerd.kata.v2", false));
        assert_eq!(find(&about, Isolation::Gvisor, true, true), None, "Podman lists what is not there");
    }
}
