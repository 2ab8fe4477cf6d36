//! The system-call filter that Docker and Podman are given, in their own format: the lists of [`crate::engine::calls`], and the
//! arguments that some of them may have. Pure, but for the one file that Podman wants.
//!
//! It is stricter than the engines' default: see the reasons in the lists. Only the machine's own table of calls may be
//! used; one through another (32-bit, x32) kills the process. What this cannot say and the embedded engine's filter does:
//! typing into a terminal by `ioctl`. No sandbox of these engines has a terminal.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::engine::calls::{COMMON, Call, NEW, REFUSED, UNKNOWN, X86_64};
use crate::engine::owner::cache_folder;
use crate::files::write_whole;

const ALLOW: &str = "SCMP_ACT_ALLOW";
const REFUSE: &str = "SCMP_ACT_ERRNO";
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Calls whose arguments count; they are left out of what is allowed whole.
const ARGUED: [&str; 6] = ["clone", "personality", "socket", "socketpair", "mknod", "mknodat"];

/// `CLONE_NEW*`: mount, cgroup, UTS, IPC, user, PID, network.
const NAMESPACES: u64 = 0x7e02_0000;

/// The profile, as JSON.
pub(super) fn profile() -> &'static str {
    static PROFILE: OnceLock<String> = OnceLock::new();
    PROFILE.get_or_init(|| document().to_string())
}

/// The profile in a file, by its path; absent where no file can be written, and then the engine's own default holds.
pub(super) fn file() -> Option<String> {
    static FILE: OnceLock<Option<String>> = OnceLock::new();
    FILE.get_or_init(|| match write() {
        Ok(path) => Some(path.display().to_string()),
        Err(error) => {
            tracing::warn!("cannot write the system-call filter for Podman: {error}; its own default is used");
            None
        }
    })
    .clone()
}

/// A server beside us may be reading it.
fn write() -> std::io::Result<PathBuf> {
    let folder = cache_folder().ok_or(std::io::ErrorKind::NotFound)?;
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("seccomp.json");
    write_whole(&path, profile().as_bytes())?;
    Ok(path)
}

fn document() -> Value {
    let whole = |call: &&Call| !ARGUED.contains(&call.name());
    let allowed: Vec<&str> = [COMMON, X86_64, NEW].into_iter().flatten().filter(whole).map(Call::name).collect();
    let mut rules = vec![json!({"names": allowed, "action": ALLOW})];
    rules.extend(arguments());
    rules.push(json!({"names": [UNKNOWN], "action": REFUSE, "errnoRet": ENOSYS}));
    rules.extend(REFUSED.iter().map(|group| {
        let names: Vec<&str> = group.calls.iter().map(Call::name).collect();
        json!({"names": names, "action": REFUSE, "errnoRet": EPERM, "comment": group.reason})
    }));
    let architectures = ["X86_64", "AARCH64", "RISCV64", "S390X", "PPC64LE"]
        .map(|name| json!({"architecture": format!("SCMP_ARCH_{name}"), "subArchitectures": []}));
    json!({
        "defaultAction": REFUSE,
        "defaultErrnoRet": EPERM,
        "archMap": architectures,
        "syscalls": rules,
    })
}

/// What is allowed with these arguments only. Two rules for one call: either will do.
fn arguments() -> Vec<Value> {
    let allow = |names: &[&str], args: Vec<Value>| json!({"names": names, "action": ALLOW, "args": args});
    let equal = |index: u32, value: u64| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
    let masked = |index: u32, mask: u64, value: u64| json!({"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"});
    // The flags of clone(2) are its first argument, save on S/390.
    let swapped = ["s390", "s390x"];
    let (mut clone, mut clone_swapped) =
        (allow(&["clone"], vec![masked(0, NAMESPACES, 0)]), allow(&["clone"], vec![masked(1, NAMESPACES, 0)]));
    clone["excludes"] = json!({"arches": swapped});
    clone_swapped["includes"] = json!({"arches": swapped});
    let mut rules = vec![clone, clone_swapped];
    // Asking is 0xffffffff; the default is 0. Anything else switches protections off.
    rules.extend([0, 0xffff_ffff].map(|persona| allow(&["personality"], vec![equal(0, persona)])));
    let sockets = ["socket", "socketpair"];
    // UNIX, IPv4, IPv6; of netlink only routing, which getifaddrs(3) asks. No VSOCK (to the machine around a virtual one), no
    // ALG (the kernel's ciphers), no packets.
    rules.extend([1, 2, 10].map(|family| allow(&sockets, vec![equal(0, family)])));
    rules.push(allow(&sockets, vec![equal(0, 16), equal(2, 0)]));
    // Files, pipes and sockets may be made, devices not.
    for (call, mode) in [("mknod", 1), ("mknodat", 2)] {
        rules.extend(
            [0, 0o100_000, 0o010_000, 0o140_000].map(|kind| allow(&[call], vec![masked(mode, 0o170_000, kind)])),
        );
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_in_it_with_its_reason() {
        let document: Value = serde_json::from_str(profile()).unwrap();
        let rules = document["syscalls"].as_array().unwrap();
        for group in REFUSED {
            let rule = rules.iter().find(|rule| rule["comment"] == group.reason).unwrap();
            assert_eq!(rule["action"], REFUSE);
            assert_eq!(rule["names"].as_array().unwrap().len(), group.calls.len());
        }
        let allowed: Vec<&Value> = rules.iter().filter(|rule| rule["action"] == ALLOW).collect();
        for name in REFUSED.iter().flat_map(|group| group.calls).map(Call::name).chain([UNKNOWN]) {
            assert!(!allowed.iter().any(|rule| rule["names"].as_array().unwrap().contains(&name.into())), "{name}");
        }
        for name in ARGUED {
            let with = |rule: &&&Value| rule["names"].as_array().unwrap().contains(&name.into());
            assert!(allowed.iter().filter(with).all(|rule| rule["args"].is_array()), "{name} is allowed whole");
        }
    }
}
