//! What Podman says and takes differently, behind the same API. It owns the two translations: ours to Podman's before a
//! container is made, and Podman's to ours when it is read back, while it lives and when it has ended.
//!
//! Met with Podman 4.3: a tmpfs gets a copy of what the image has in its place, unless told not to (a hostile image would
//! plant files); a read-only container gets writable folders of its own, without bound; it knows no bound on the number of
//! files in a tmpfs and no owner of one; and it has no limits on open files and processes unless they are given, which an
//! ordinary user's Podman does not take over this API. It makes no cgroup namespace on cgroup v1. And it does not know when
//! memory was the reason of an end: its monitor leaves a note in the folder that it was started in, Podman looks for it in
//! another.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, HostConfig, Mount};

use super::Shared;
use super::error::status;
use crate::engine::Exit;

/// What Podman leaves to a container that drops all. It names each, where Docker says ALL.
const CAPABILITIES: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// An empty folder that nobody can write to.
const COVER: &str = "ro,noexec,nosuid,nodev,size=4096,mode=0555";

/// Rewrites what Docker would be told. `/run` is covered, since Podman would make it writable.
pub(super) fn told(tmpfs: &mut HashMap<String, String>, mounts: &mut Vec<Mount>) {
    let covered = mounts.drain(..).filter_map(|mount| mount.target).chain(["/run".to_owned()]);
    for target in covered {
        tmpfs.entry(target).or_insert_with(|| COVER.to_owned());
    }
    for options in tmpfs.values_mut() {
        *options = known(options);
    }
}

/// The code's folder is then open to everybody in the sandbox, who are all `nobody`.
fn known(options: &str) -> String {
    let unknown = |option: &&str| !["nr_inodes=", "uid=", "gid="].iter().any(|name| option.starts_with(name));
    let known: Vec<&str> = options.split(',').filter(unknown).collect();
    format!("{},notmpcopyup", known.join(",")).replace("mode=0700", "mode=1777")
}

/// What Podman says it holds, as Docker would say it: `asked` is compared with it.
pub(super) fn heard(mut held: HostConfig, asked: &HostConfig) -> HostConfig {
    let dropped = held.cap_drop.iter().flatten();
    if CAPABILITIES.iter().all(|name| dropped.clone().any(|dropped| dropped.trim_start_matches("CAP_") == *name)) {
        held.cap_drop = Some(vec!["ALL".to_owned()]);
    }
    // A namespace of its own that another container could ask to join: nobody here asks.
    if held.ipc_mode.as_deref().is_some_and(|mode| ["shareable", "private", "none"].contains(&mode)) {
        held.ipc_mode.clone_from(&asked.ipc_mode);
    }
    for limit in held.ulimits.iter_mut().flatten() {
        limit.name = limit.name.take().map(|name| name.trim_start_matches("RLIMIT_").to_ascii_lowercase());
    }
    for (path, options) in held.tmpfs.iter_mut().flatten() {
        // Its own words for mount propagation and the copy that was forbidden.
        let wanted = asked.tmpfs.as_ref().and_then(|tmpfs| tmpfs.get(path));
        let sorted = |options: &str| {
            let mut words: Vec<String> = options
                .split(',')
                .filter(|word| !["rprivate", "notmpcopyup"].contains(word))
                .map(str::to_owned)
                .collect();
            words.sort();
            words
        };
        if let Some(wanted) = wanted.filter(|wanted| sorted(wanted) == sorted(options)) {
            options.clone_from(wanted);
        }
    }
    if held.runtime.as_deref() == Some("oci") {
        held.runtime = None;
    }
    held
}

/// How a limit on a process is had where the API's is not taken.
pub(super) const ULIMITS: &str = "an ordinary user's Podman takes no limits on a process over this API; use Docker, which does for a user too, or engine = \"embedded\"";

/// Controls that it cannot give, with the way to get them. `cgroup_namespace` is what it says of that.
pub(super) fn missing(cgroup_namespace: Option<&str>) -> impl Iterator<Item = String> {
    let files = ["/tmp", "/var/tmp", "/dev/shm", crate::plan::CODE_DIR].into_iter().map(|path| {
        format!(
            "{path} files: Podman bounds the bytes in a folder and not the number of files, which count towards the memory limit; use Docker, or engine = \"embedded\", for a bound of their own"
        )
    });
    let namespace = (cgroup_namespace != Some("private")).then(|| {
        "cgroup namespace: a program sees where its container lies among the machine's cgroups; use cgroup v2, where Podman makes one by itself, or Docker".to_owned()
    });
    files.chain(namespace)
}

/// Which cgroup namespace a container has: only Podman's own API tells.
pub(super) async fn cgroup_namespace(shared: &Shared, id: &str) -> Option<String> {
    let answer = ask(shared, &format!("/v4.0.0/libpod/containers/{id}/json")).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    Some(answer.pointer("/HostConfig/CgroupMode")?.as_str()?.to_owned())
}

async fn ask(shared: &Shared, path: &str) -> Option<bytes::Bytes> {
    let answer = tokio::time::timeout(super::error::DEADLINE, shared.raw.as_ref()?.get(path)).await;
    answer.ok()?.ok().filter(|(status, _)| *status == 200).map(|(_, body)| body)
}

/// How a container ended. `state` is what it says of it afterwards.
///
/// The first process of a container can neither be killed from inside nor end with SIGKILL's number by itself, as it is
/// ours. So when that is its end, and Podman was not told to kill it, it was the kernel, for memory.
pub(super) async fn exit(
    shared: &Shared,
    id: &str,
    status_code: i32,
    state: &Result<ContainerInspectResponse, Error>,
) -> Exit {
    const KILLED: i32 = 128 + 9;
    match state {
        // Removed while it ran. Podman tells then of whatever status it had before.
        Err(error) if status(error) == Some(404) => Exit { status: KILLED, out_of_memory: false },
        Ok(answer) if status_code == KILLED => {
            let said = answer.state.as_ref().and_then(|state| state.oom_killed) == Some(true);
            Exit { status: status_code, out_of_memory: said || !was_told_to_kill(shared, id).await }
        }
        _ => Exit { status: status_code, out_of_memory: false },
    }
}

/// Whether somebody had Podman kill or remove a container. Not knowing counts as yes.
async fn was_told_to_kill(shared: &Shared, id: &str) -> bool {
    // {"container":["ID"],"event":["kill","stop","remove"]}
    let filters = format!(
        "%7B%22container%22%3A%5B%22{id}%22%5D%2C%22event%22%3A%5B%22kill%22%2C%22stop%22%2C%22remove%22%5D%7D"
    );
    let events = ask(shared, &format!("/v1.41/events?stream=false&since=0&filters={filters}")).await;
    events.is_none_or(|events| !events.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_podman_holds_reads_as_docker_says_it() {
        let asked = HostConfig {
            ipc_mode: Some("none".to_owned()),
            tmpfs: Some(HashMap::from([("/tmp".to_owned(), "rw,noexec,size=1,mode=1777,notmpcopyup".to_owned())])),
            ..HostConfig::default()
        };
        let mut held: HostConfig = serde_json::from_value(serde_json::json!({
            "CapDrop": CAPABILITIES, "IpcMode": "shareable", "Runtime": "oci",
            "Ulimits": [{"Name": "RLIMIT_NOFILE", "Hard": 64, "Soft": 64}],
            "Tmpfs": {"/tmp": "rw,noexec,size=1,mode=1777,rprivate", "/run": "rw,rprivate,nosuid,nodev,tmpcopyup"},
        }))
        .unwrap();
        let read = heard(held.clone(), &asked);
        assert_eq!(read.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(read.ulimits.unwrap()[0].name.as_deref(), Some("nofile"));
        assert_eq!((read.ipc_mode, read.runtime), (asked.ipc_mode.clone(), None));
        assert_eq!(read.tmpfs.as_ref().unwrap()["/tmp"], asked.tmpfs.as_ref().unwrap()["/tmp"]);
        held.cap_drop.as_mut().unwrap().pop();
        held.ipc_mode = Some("host".to_owned());
        held.tmpfs.as_mut().unwrap().insert("/tmp".to_owned(), "rw,size=1".to_owned());
        let read = heard(held, &asked);
        assert_ne!(read.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(read.ipc_mode.as_deref(), Some("host"));
        assert_eq!(read.tmpfs.unwrap()["/tmp"], "rw,size=1");
    }
}
