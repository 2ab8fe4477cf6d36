//! The receipt of a sandbox: what its first process read from the kernel, what its cgroup says, and what is missing.
//!
//! It must not know how anything is enforced.

use std::collections::BTreeMap;

use super::policy::Policy;
use super::wire::{Facts, Held};
use crate::protocol::Receipt;

/// The namespaces that every sandbox has of its own; it is not started without.
const NAMESPACES: &str = "user, mount, pid, network, ipc, uts, cgroup";

const DELEGATE: &str = "give this user a delegated cgroup: start the editor with \
                        'systemd-run --user --scope', or run on a machine with systemd's user sessions and cgroup v2";

/// Writes the receipt.
pub(super) fn write(policy: &Policy, held: &Held, facts: &Facts, toolchain: String, version: &str) -> Receipt {
    let mut controls = BTreeMap::new();
    let mut missing = Vec::new();
    let mut control = |name: &str, value: String| {
        controls.insert(name.to_owned(), value);
    };
    let status = |name: &str| field(&facts.status, name).unwrap_or_default();
    control("namespaces", NAMESPACES.to_owned());
    control("network", "none".to_owned());
    control("user", ids(&status("Uid"), &status("Gid")));
    control("capabilities", if no_capability(&facts.status) { "none".to_owned() } else { status("CapEff") });
    control("privileges", if status("NoNewPrivs") == "1" { "no-new-privileges" } else { "unrestricted" }.to_owned());
    control("seccomp", seccomp(&status("Seccomp"), &status("Seccomp_filters")));
    control("landlock", facts.landlock.clone());
    control("root", "read-only".to_owned());
    let system_v = if facts.system_v { format!("at most {}", policy.shared_memory) } else { "refused".to_owned() };
    control("ipc", format!("private; System V {system_v}"));
    control("environment", "none of the host's".to_owned());
    for tmpfs in &policy.tmpfs {
        control(&tmpfs.target, tmpfs.describe());
    }
    for (name, line) in [("nofile", "Max open files"), ("nproc", "Max processes"), ("core", "Max core file size")] {
        control(name, hard_limit(&facts.limits, line).unwrap_or_default());
    }
    for (name, value) in &held.limits {
        control(name, value.clone());
    }
    if let Some(by) = &held.by {
        control("resources", by.clone());
        if !held.limits.iter().any(|(name, _)| name == "cpus") {
            missing.push("cpus: this user's cgroup has no cpu controller; as root, add 'Delegate=cpu memory pids' to user@.service, as newer systemd does".to_owned());
        }
    } else {
        let why = held.why_not.as_deref().unwrap_or("no cgroup");
        control("resources", "rlimits and a watch".to_owned());
        control("memory", format!("{} watched every {} ms", policy.memory, super::watch::PERIOD_MS));
        if super::inside::nproc_counts_this_sandbox() {
            control("pids", format!("{} by rlimit nproc", policy.pids));
        } else {
            missing.push(format!("pids: counted with all processes of this user before Linux 5.14; {DELEGATE}"));
        }
        missing.push(format!("cpus: a share of CPU time needs a cgroup ({why}); {DELEGATE}"));
        missing.push("memory: held by a watch and not by the kernel; the same as for cpus helps".to_owned());
        missing.push("swap: cannot be switched off; the same as for cpus helps".to_owned());
    }
    if facts.landlock.starts_with("none") {
        missing.push(format!("landlock: {}; use a kernel with it in its 'lsm=' list", facts.landlock));
    }
    if policy.network_asked {
        missing.push("network: this engine has none to give; use Docker for a program that needs it".to_owned());
    }
    Receipt {
        engine: super::ENGINE.to_owned(),
        engine_version: version.to_owned(),
        runtime: "namespaces".to_owned(),
        image: toolchain,
        digest: None,
        controls,
        missing,
    }
}

/// The value of a field of `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<String> {
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

fn no_capability(status: &str) -> bool {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        .iter()
        .all(|name| field(status, name).is_some_and(|set| !set.is_empty() && set.bytes().all(|digit| digit == b'0')))
}

/// The real ids; all four are the same or the sandbox was not started.
fn ids(uids: &str, gids: &str) -> String {
    let first = |ids: &str| ids.split_whitespace().next().unwrap_or("?").to_owned();
    format!("{}:{}", first(uids), first(gids))
}

fn seccomp(mode: &str, filters: &str) -> String {
    match mode {
        "2" if filters.is_empty() => "stricter than Docker's default".to_owned(),
        "2" => format!("stricter than Docker's default ({filters} filters)"),
        _ => "off".to_owned(),
    }
}

/// The hard limit in a line of `/proc/self/limits`: name, soft, hard, unit.
fn hard_limit(limits: &str, line: &str) -> Option<String> {
    let values = limits.lines().find_map(|text| text.strip_prefix(line))?;
    values.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{MIB, Network, Sandbox};

    fn facts() -> Facts {
        let caps =
            ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| format!("{name}:\t0000000000000000\n"));
        Facts {
            status: format!(
                "Name:\tx\nUid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n{}NoNewPrivs:\t1\n\
                 Seccomp:\t2\nSeccomp_filters:\t2\n",
                caps.concat()
            ),
            limits: "Max open files            64                   64                   files\n".to_owned(),
            system_v: true,
            landlock: "version 6".to_owned(),
        }
    }

    #[test]
    fn what_the_kernel_says_is_written() {
        let policy = Policy::of(&Sandbox::new(128 * MIB, 500));
        let held = Held {
            by: Some("cgroup v1".to_owned()),
            limits: [("memory", "134217728"), ("cpus", "0.5")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Held::default()
        };
        let receipt = write(&policy, &held, &facts(), "Python 3.11".to_owned(), "1");
        assert_eq!(receipt.controls["user"], "65534:65534");
        assert_eq!(receipt.controls["capabilities"], "none");
        assert_eq!(receipt.controls["nofile"], "64");
        assert_eq!(receipt.controls["memory"], "134217728");
        assert!(receipt.controls["/tmp"].starts_with("tmpfs rw,noexec,nosuid,nodev,size=67108864"));
        assert!(receipt.missing.is_empty(), "{:?}", receipt.missing);
    }

    #[test]
    fn a_cgroup_without_cpu_says_what_is_missing() {
        let held = Held { by: Some("cgroup v2".to_owned()), ..Held::default() };
        let receipt = write(&Policy::of(&Sandbox::new(128 * MIB, 500)), &held, &facts(), String::new(), "1");
        assert_eq!(receipt.missing.len(), 1);
        assert!(receipt.missing[0].starts_with("cpus: ") && receipt.missing[0].contains("Delegate=cpu"));
    }

    #[test]
    fn without_a_cgroup_it_says_what_is_missing_and_how_to_get_it() {
        let mut sandbox = Sandbox::new(128 * MIB, 500);
        sandbox.network = Network::Bridge;
        let held = Held { why_not: Some("no cgroup is delegated".to_owned()), ..Held::default() };
        let receipt = write(&Policy::of(&sandbox), &held, &facts(), String::new(), "1");
        assert_eq!(receipt.missing.len(), 4);
        assert!(receipt.missing.iter().all(|line| line.contains(':')));
        assert_eq!(receipt.controls["resources"], "rlimits and a watch");
    }

    #[test]
    fn a_capability_that_is_left_is_not_called_none() {
        assert!(!no_capability(&facts().status.replace("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000001")));
        assert!(!no_capability(""));
    }
}
