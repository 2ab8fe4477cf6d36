//! The engines that are attacked, and what each does not give.

use crate::support::usual_kind;

/// The engine under test, as `RUNPEN_TEST_ENGINE_KIND` names it, else the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Docker,
    RootlessDocker,
    Podman,
    /// Podman of an ordinary user.
    UserPodman,
    /// gVisor as a runtime of Docker's.
    Gvisor,
    /// The engine without images, for root and so with cgroups.
    Embedded,
    /// The same for an ordinary user to whom no cgroup is delegated.
    UserEmbedded,
}

impl Kind {
    pub(crate) fn get() -> Self {
        let named = std::env::var("RUNPEN_TEST_ENGINE_KIND");
        match named.as_deref().unwrap_or(usual_kind()) {
            "docker" => Self::Docker,
            "docker-rootless" => Self::RootlessDocker,
            "podman" => Self::Podman,
            "podman-user" => Self::UserPodman,
            "gvisor" => Self::Gvisor,
            "embedded" => Self::Embedded,
            "embedded-user" => Self::UserEmbedded,
            other => panic!("RUNPEN_TEST_ENGINE_KIND={other} is no engine that these tests know"),
        }
    }

    pub(crate) fn is_podman(self) -> bool {
        matches!(self, Self::Podman | Self::UserPodman)
    }

    pub(crate) fn is_embedded(self) -> bool {
        matches!(self, Self::Embedded | Self::UserEmbedded)
    }

    /// The controls that it does not give, on cgroup version 1. Each is named in its receipt; no other may be.
    pub(crate) fn lacks(self) -> Vec<&'static str> {
        const FILES: [&str; 4] = ["/dev/shm files", "/runpen files", "/tmp files", "/var/tmp files"];
        // Nobody but root may use the controllers of cgroup version 1.
        const CGROUPS: [&str; 4] = ["cpus", "memory", "pids", "swap"];
        let mut lacks = match self {
            Self::Docker | Self::Embedded => Vec::new(),
            Self::RootlessDocker => CGROUPS.to_vec(),
            Self::Podman => [&FILES[..], &["cgroup namespace"]].concat(),
            // It takes no limits on a process over this API.
            Self::UserPodman => {
                [&FILES[..], &CGROUPS, &["cgroup namespace", "core", "msgqueue", "nofile", "nproc"]].concat()
            }
            // Its processes are held by a limit that counts this sandbox alone, since Linux 5.14.
            Self::UserEmbedded => vec!["cpus", "memory", "swap"],
            Self::Gvisor => [&FILES[..], &["processes", "shared memory", "mapped code", "memory of a child"]].concat(),
        };
        lacks.sort_unstable();
        lacks
    }
}

/// Whether the engine under test gives a control.
pub(crate) fn gives(control: &str) -> bool {
    !Kind::get().lacks().contains(&control)
}
