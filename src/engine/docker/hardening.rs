//! [`Sandbox`] → what the engine is told. Pure: the only place where a container's enclosure is written down.
//!
//! Nothing here depends on the image, but for the folders it declares as volumes: the engine would make each of them a
//! writable folder on the disk, without bound. Everything else that an image may wish for (entry point, user, health
//! check, working folder, stop signal, labels) is overruled by [`super::container`].

use std::collections::HashMap;

use bollard::models::{
    HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount, MountTmpfsOptions, MountType,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use super::podman;
use super::runtime::Runtime;
use crate::plan::{CODE_DIR, MIB, NOBODY, Network, Sandbox, Tmpfs};

/// Microseconds over which the CPU share is counted.
pub(super) const CPU_PERIOD: i64 = 100_000;

/// Bytes of POSIX message queues: the kernel's own default, said aloud because a daemon may have another.
const MESSAGE_QUEUE_BYTES: i64 = 819_200;

/// The user of every container, as the engine takes it. Numbers, since an image's `/etc/passwd` may say anything.
pub(super) fn user() -> String {
    format!("{NOBODY}:{NOBODY}")
}

/// No health check, whatever the image has: it would be a second command in the sandbox, again and again.
pub(super) fn no_health_check() -> HealthConfig {
    HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }
}

/// Memory that gVisor's own kernel takes: it is a process inside of the limit. Measured at 20 to 40 MiB.
const GVISOR_MEMORY: u64 = 64 * MIB;

/// Threads that it takes, and the one that stands for each of the program's.
const GVISOR_PIDS: i64 = 128;

/// How an engine wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Dialect {
    /// It is Podman: it copies what the image has at the place of a tmpfs into it, unless told not to.
    pub(super) podman: bool,
    /// System-call filter: a document for Docker, a file for Podman. The engine's default without it.
    pub(super) seccomp: Option<String>,
    /// The engine's default without it.
    pub(super) runtime: Option<Runtime>,
}

/// What is enforced. `volumes` are the folders that the image declares.
pub(super) fn host_config(sandbox: &Sandbox, volumes: &[String], dialect: &Dialect) -> HostConfig {
    let gvisor = dialect.runtime.as_ref().is_some_and(|runtime| runtime.gvisor);
    let memory = signed(sandbox.memory + if gvisor { GVISOR_MEMORY } else { 0 });
    let pids = i64::from(sandbox.pids) + if gvisor { GVISOR_PIDS } else { 0 };
    let mut security = vec!["no-new-privileges".to_owned()];
    security.extend(dialect.seccomp.iter().map(|profile| format!("seccomp={profile}")));
    let (mut tmpfs, mut mounts) = (tmpfs(sandbox), covers(volumes));
    if dialect.podman {
        podman::told(&mut tmpfs, &mut mounts);
    }
    HostConfig {
        network_mode: Some(network(sandbox.network).to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(security),
        privileged: Some(false),
        readonly_rootfs: Some(true),
        tmpfs: Some(tmpfs),
        mounts: Some(mounts),
        // No `/dev/shm` by the engine: its own has no bound on inodes. Ours is in `tmpfs`.
        ipc_mode: Some("none".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        sysctls: Some(sysctls(sandbox)),
        memory: Some(memory),
        memory_swap: Some(memory),
        oom_kill_disable: None,
        cpu_period: Some(CPU_PERIOD),
        cpu_quota: Some(i64::from(sandbox.milli_cpus) * CPU_PERIOD / 1000),
        pids_limit: Some(pids),
        ulimits: Some(vec![
            ulimit("core", 0),
            ulimit("msgqueue", MESSAGE_QUEUE_BYTES),
            ulimit("nofile", i64::from(sandbox.nofile)),
            ulimit("nproc", i64::from(sandbox.nproc)),
        ]),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        // Removed by hand: the engine's own removal races with waiting for the end.
        auto_remove: Some(false),
        init: Some(false),
        runtime: dialect.runtime.as_ref().map(|runtime| runtime.name.clone()),
        publish_all_ports: Some(false),
        ..HostConfig::default()
    }
}

pub(super) fn network(network: Network) -> &'static str {
    match network {
        Network::None => "none",
        Network::Bridge => "bridge",
    }
}

/// System V IPC is the container's own already; these keep it small. Shared memory lives on without a process, so a
/// program could fill its memory limit with it and keep it full.
fn sysctls(sandbox: &Sandbox) -> HashMap<String, String> {
    let pages = sandbox.shm.size / 4096;
    [
        ("kernel.shmall", pages.to_string()),
        ("kernel.shmmax", sandbox.shm.size.to_string()),
        ("kernel.shmmni", "64".to_owned()),
        ("kernel.msgmni", "16".to_owned()),
        ("fs.mqueue.queues_max", "16".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The writable folders, each with its mount options.
fn tmpfs(sandbox: &Sandbox) -> HashMap<String, String> {
    [
        ("/tmp", options(sandbox.tmp, "1777")),
        ("/var/tmp", options(sandbox.var_tmp, "1777")),
        ("/dev/shm", options(sandbox.shm, "1777")),
        (CODE_DIR, format!("{},uid={NOBODY},gid={NOBODY}", options(sandbox.code, "0700"))),
    ]
    .map(|(path, options)| (path.to_owned(), options))
    .into()
}

fn options(tmpfs: Tmpfs, mode: &str) -> String {
    let exec = if tmpfs.exec { "exec" } else { "noexec" };
    format!("rw,{exec},nosuid,nodev,size={},nr_inodes={},mode={mode}", tmpfs.size, tmpfs.inodes)
}

/// An empty read-only tmpfs over each folder that the image declares as a volume. As a mount, and not as one of the
/// writable tmpfs: for a mount the engine makes no volume in the first place.
fn covers(volumes: &[String]) -> Vec<Mount> {
    let mut targets: Vec<String> = volumes.iter().map(|path| clean(path)).collect();
    targets.sort();
    targets.dedup();
    let own = ["/tmp", "/var/tmp", "/dev/shm", CODE_DIR];
    targets
        .into_iter()
        .filter(|target| !own.contains(&target.as_str()))
        .map(|target| Mount {
            target: Some(target),
            typ: Some(MountType::TMPFS),
            read_only: Some(true),
            tmpfs_options: Some(MountTmpfsOptions { size_bytes: Some(4096), mode: Some(0o555), options: None }),
            ..Mount::default()
        })
        .collect()
}

/// A path as the engine compares it: absolute, without `.`, `..` and double slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(value), hard: Some(value) }
}

/// The API counts bytes in signed numbers.
pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JSON with sorted keys: what the engine is sent.
    fn json(config: &HostConfig) -> String {
        let value: serde_json::Value = serde_json::to_value(config).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    }

    #[test]
    fn what_encloses_a_python_program() {
        insta::assert_snapshot!(json(&host_config(&Sandbox::new(128 * MIB, 500), &[], &Dialect::default())));
    }

    #[test]
    fn a_compiled_program_may_execute_from_the_code_folder_only() {
        let mut sandbox = Sandbox::new(256 * MIB, 500);
        sandbox.code.exec = true;
        let config = host_config(&sandbox, &[], &Dialect::default());
        let executable: Vec<_> =
            config.tmpfs.unwrap().into_iter().filter(|(_, options)| options.contains(",exec,")).collect();
        assert_eq!(executable.len(), 1);
        assert_eq!(executable[0].0, CODE_DIR);
    }

    #[test]
    fn a_network_is_there_only_when_asked_for() {
        let mut sandbox = Sandbox::new(64 * MIB, 500);
        assert_eq!(host_config(&sandbox, &[], &Dialect::default()).network_mode.as_deref(), Some("none"));
        sandbox.network = Network::Bridge;
        assert_eq!(host_config(&sandbox, &[], &Dialect::default()).network_mode.as_deref(), Some("bridge"));
    }

    #[test]
    fn declared_volumes_are_covered_once_each() {
        let volumes = ["/data", "/data/", "//data/./x/..", "/var/lib/a", "/tmp", "/runpen"].map(str::to_owned);
        let config = host_config(&Sandbox::new(64 * MIB, 500), &volumes, &Dialect::default());
        let targets: Vec<_> = config.mounts.unwrap().into_iter().map(|mount| mount.target.unwrap()).collect();
        assert_eq!(targets, ["/data", "/var/lib/a"]);
    }

    #[test]
    fn podman_is_told_not_to_copy_the_image_into_what_is_empty() {
        let dialect = Dialect { podman: true, seccomp: Some("/x.json".to_owned()), runtime: None };
        let config = host_config(&Sandbox::new(64 * MIB, 500), &["/data".to_owned()], &dialect);
        assert_eq!(config.mounts, Some(Vec::new()));
        let tmpfs = config.tmpfs.unwrap();
        assert!(["/data", "/run"].iter().all(|path| tmpfs[*path].starts_with("ro,")));
        assert!(tmpfs.values().all(|options| options.ends_with(",notmpcopyup")), "{tmpfs:?}");
        assert_eq!(tmpfs[CODE_DIR], "rw,noexec,nosuid,nodev,size=16777216,mode=1777,notmpcopyup");
        assert_eq!(config.security_opt.unwrap(), ["no-new-privileges", "seccomp=/x.json"]);
    }

    #[test]
    fn the_kernel_of_gvisor_has_room_beside_the_program() {
        let runtime = Some(Runtime { name: "runsc".to_owned(), gvisor: true });
        let config = host_config(&Sandbox::new(64 * MIB, 500), &[], &Dialect { runtime, ..Dialect::default() });
        assert_eq!(config.runtime.as_deref(), Some("runsc"));
        assert_eq!(config.memory, Some(signed(64 * MIB + GVISOR_MEMORY)));
        assert_eq!(config.memory_swap, config.memory);
    }

    #[test]
    fn what_is_writable_fits_below_the_memory_limit() {
        for memory in [16 * MIB, 64 * MIB, 128 * MIB, 512 * MIB] {
            let sandbox = Sandbox::new(memory, 500);
            let sum = sandbox.tmp.size + sandbox.var_tmp.size + sandbox.code.size + sandbox.shm.size;
            assert!(sum < memory, "{sum} of {memory}");
        }
    }
}
