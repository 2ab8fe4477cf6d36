//! The sandbox of a plan, as this engine gives it. The one place where [`Sandbox`] is translated: what is not said here
//! is not enforced, and what is enforced can be read here.
//!
//! It must not know how: mounts are [`super::root`]'s, cgroups [`super::cgroup`]'s.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::{CODE_DIR, Network, Sandbox};

/// Length of a period of the CPU quota in microseconds.
pub(super) const CPU_PERIOD_US: u64 = 100_000;

/// What is enforced. Beside it, and the same for everybody: namespaces, root, capabilities, system calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policy {
    /// Bytes of all processes and tmpfs together, swap included.
    pub(super) memory: u64,
    /// CPU time per [`CPU_PERIOD_US`], in microseconds.
    pub(super) cpu_quota_us: u64,
    /// Processes and threads.
    pub(super) pids: u64,
    /// Backstop beside `pids`, where the kernel counts a user's processes across the machine.
    pub(super) nproc: u64,
    /// Open files of a process.
    pub(super) nofile: u64,
    /// Bytes of System V shared memory.
    pub(super) shared_memory: u64,
    /// Writable places, each a tmpfs of its own.
    pub(super) tmpfs: Vec<Tmpfs>,
    /// Folders outside `/usr` that are shown read-only, as the user's own settings list them.
    pub(super) toolchains: Vec<PathBuf>,
    /// Whether the settings asked for a network, which this engine has not.
    pub(super) network_asked: bool,
}

/// A writable place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tmpfs {
    /// Where, an absolute path.
    pub(super) target: String,
    /// Bytes.
    pub(super) size: u64,
    /// Inodes.
    pub(super) inodes: u64,
    /// Whether files in it may be executed.
    pub(super) exec: bool,
    /// Mode of its root.
    pub(super) mode: u32,
}

impl Policy {
    /// Translates a sandbox.
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let tmpfs = |target: &str, tmpfs: crate::plan::Tmpfs, mode| Tmpfs {
            target: target.to_owned(),
            size: tmpfs.size,
            inodes: tmpfs.inodes,
            exec: tmpfs.exec,
            mode,
        };
        Self {
            memory: sandbox.memory,
            cpu_quota_us: u64::from(sandbox.milli_cpus) * CPU_PERIOD_US / 1000,
            pids: u64::from(sandbox.pids),
            nproc: u64::from(sandbox.nproc),
            nofile: u64::from(sandbox.nofile),
            shared_memory: sandbox.shm.size,
            tmpfs: vec![
                tmpfs("/tmp", sandbox.tmp, 0o1777),
                tmpfs("/var/tmp", sandbox.var_tmp, 0o1777),
                tmpfs(CODE_DIR, sandbox.code, 0o755),
                tmpfs("/dev/shm", sandbox.shm, 0o1777),
            ],
            toolchains: Vec::new(),
            network_asked: sandbox.network != Network::None,
        }
    }
}

impl Tmpfs {
    /// Its value in a receipt.
    pub(super) fn describe(&self) -> String {
        let exec = if self.exec { "exec" } else { "noexec" };
        format!("tmpfs rw,{exec},nosuid,nodev,size={},nr_inodes={}", self.size, self.inodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::MIB;

    #[test]
    fn every_field_of_the_sandbox_has_a_place() {
        let mut sandbox = Sandbox::new(128 * MIB, 500);
        sandbox.code.exec = true;
        let policy = Policy::of(&sandbox);
        assert_eq!((policy.memory, policy.cpu_quota_us, policy.pids, policy.nofile), (128 * MIB, 50_000, 64, 64));
        let places: Vec<_> = policy.tmpfs.iter().map(|one| (one.target.as_str(), one.size, one.exec)).collect();
        assert_eq!(
            places,
            [
                ("/tmp", 64 * MIB, false),
                ("/var/tmp", 8 * MIB, false),
                ("/runpen", 32 * MIB, true),
                ("/dev/shm", 4 * MIB, false)
            ]
        );
        assert!(!policy.network_asked);
    }
}
