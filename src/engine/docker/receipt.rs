//! The receipt: what really encloses a container, read back from the engine and held against what was asked.
//!
//! Nothing here is taken from the plan. Where the engine holds less than was asked, the control goes to `missing` with the
//! way to get it.

use std::collections::BTreeMap;

use bollard::models::{ContainerInspectResponse, HostConfig};

use super::error::{failed, one_line, reason, within};
use super::hardening::Dialect;
use super::{About, Limits, Shared, inspect, podman, runtime};
use crate::engine::{EngineError, Image};
use crate::plan::CODE_DIR;
use crate::protocol::Receipt;

/// What was asked of the engine, and what it said to it.
pub(super) struct Asked {
    pub(super) host_config: HostConfig,
    /// How it was said.
    pub(super) dialect: Dialect,
    /// Its warnings when the container was made.
    pub(super) warnings: Vec<String>,
    pub(super) image: Image,
}

/// Looks at a container.
pub(super) async fn look(shared: &Shared, id: &str, asked: &Asked) -> Result<Receipt, EngineError> {
    let inspect = within(inspect::inspect(shared, id));
    let (answer, about, namespace) = tokio::join!(inspect, shared.about(), async {
        if asked.dialect.podman { podman::cgroup_namespace(shared, id).await } else { None }
    });
    let answer = answer.map_err(|error| failed("inspect a container", reason(&error)))?;
    let mut receipt = receipt(answer, asked, about?, &shared.version);
    if asked.dialect.podman {
        receipt.missing.extend(podman::missing(namespace.as_deref()));
    }
    Ok(receipt)
}

fn receipt(answer: ContainerInspectResponse, asked: &Asked, about: &About, version: &str) -> Receipt {
    let mut held = answer.host_config.unwrap_or_default();
    withhold(&mut held, about.limits);
    if asked.dialect.podman {
        held = podman::heard(held, &asked.host_config);
    }
    let config = answer.config.unwrap_or_default();
    let mut controls = controls(&held, about);
    let mut control = |name: &str, value: String| controls.insert(name.to_owned(), value);
    control("user", config.user.filter(|user| !user.is_empty()).unwrap_or_else(|| "root".to_owned()));
    if let Some(profile) = answer.app_armor_profile.filter(|profile| !profile.is_empty()) {
        control("apparmor", profile);
    }
    let runtime = held.runtime.clone().filter(|runtime| !runtime.is_empty());
    Receipt {
        engine: "docker".to_owned(),
        engine_version: version.to_owned(),
        runtime: runtime.unwrap_or_else(|| about.runtime.clone()),
        image: asked.image.reference.clone(),
        digest: Some(asked.image.digest.clone()),
        controls,
        missing: missing(asked, &held, about),
    }
}

/// Takes back what the engine repeats and cannot do.
fn withhold(held: &mut HostConfig, limits: Limits) {
    if !limits.memory {
        (held.memory, held.memory_swap) = (None, None);
    }
    if !limits.cpu {
        (held.cpu_quota, held.cpu_period, held.nano_cpus) = (None, None, None);
    }
    if !limits.pids {
        held.pids_limit = None;
    }
}

/// Every control that stands in the container's host configuration.
fn controls(held: &HostConfig, about: &About) -> BTreeMap<String, String> {
    let mut controls = BTreeMap::new();
    let mut control = |name: &str, value: String| controls.insert(name.to_owned(), value);
    control("network", text(held.network_mode.as_ref()));
    control("capabilities", capabilities(held));
    control("root", if held.readonly_rootfs == Some(true) { "read-only" } else { "writable" }.to_owned());
    control("privileges", privileges(held).to_owned());
    control("seccomp", seccomp(held, about));
    let (memory, swap) = (held.memory.unwrap_or(0), held.memory_swap.unwrap_or(0));
    control("memory", number(memory));
    control("swap", if memory > 0 && swap == memory { "off".to_owned() } else { number(swap) });
    control("cpus", cpus(held));
    control("pids", number(held.pids_limit.unwrap_or(0)));
    control("ipc", text(held.ipc_mode.as_ref()));
    control("log", text(held.log_config.as_ref().and_then(|log| log.typ.as_ref())));
    for limit in held.ulimits.iter().flatten() {
        let value = limit.hard.map_or_else(|| "unlimited".to_owned(), |hard| hard.to_string());
        control(limit.name.as_deref().unwrap_or("ulimit"), value);
    }
    for (path, options) in held.tmpfs.iter().flatten() {
        control(path, format!("tmpfs {options}"));
    }
    for mount in held.mounts.iter().flatten() {
        let kind = mount.typ.map(|kind| kind.to_string()).unwrap_or_default();
        let mode = if mount.read_only == Some(true) { "ro" } else { "rw" };
        control(mount.target.as_deref().unwrap_or("mount"), format!("{kind} {mode}"));
    }
    for bind in held.binds.iter().flatten() {
        control("bind", bind.clone());
    }
    controls
}

fn text(value: Option<&String>) -> String {
    value.filter(|value| !value.is_empty()).map_or_else(|| "default".to_owned(), Clone::clone)
}

fn number(value: i64) -> String {
    if value > 0 { value.to_string() } else { "unlimited".to_owned() }
}

fn capabilities(held: &HostConfig) -> String {
    let list = |names: &Option<Vec<String>>| names.iter().flatten().cloned().collect::<Vec<_>>();
    let (dropped, added) = (list(&held.cap_drop), list(&held.cap_add));
    if held.privileged == Some(true) {
        "all".to_owned()
    } else if dropped.iter().any(|name| name == "ALL") && added.is_empty() {
        "none".to_owned()
    } else {
        format!("default, dropped [{}], added [{}]", dropped.join(" "), added.join(" "))
    }
}

fn has_option(held: &HostConfig, wanted: &str) -> bool {
    held.security_opt.iter().flatten().any(|option| option == wanted || option.strip_suffix(":true") == Some(wanted))
}

fn privileges(held: &HostConfig) -> &'static str {
    if has_option(held, "no-new-privileges") { "no-new-privileges" } else { "may grow" }
}

fn seccomp(held: &HostConfig, about: &About) -> String {
    let own = held.security_opt.iter().flatten().find_map(|option| option.strip_prefix("seccomp="));
    let name = own.map(str::to_owned).or_else(|| about.seccomp.clone());
    // Ours is a whole document, or the path of one; its name is all that fits here.
    let ours = |name: &str| name.starts_with('{') || name.ends_with("/seccomp.json");
    name.map_or_else(|| "none".to_owned(), |name| if ours(&name) { "runpen".to_owned() } else { name })
}

#[expect(clippy::cast_precision_loss, reason = "a CPU share has few digits")]
fn cpus(held: &HostConfig) -> String {
    let quota = match (held.cpu_quota.unwrap_or(0), held.cpu_period.unwrap_or(0)) {
        (quota, period) if quota > 0 && period > 0 => Some(quota as f64 / period as f64),
        _ => held.nano_cpus.filter(|nano| *nano > 0).map(|nano| nano as f64 / 1e9),
    };
    quota.map_or_else(|| "unlimited".to_owned(), |quota| quota.to_string())
}

/// What was asked and is not held, each with the way to get it.
fn missing(asked: &Asked, held: &HostConfig, about: &About) -> Vec<String> {
    const CGROUPS: &str = "needs an engine that may use this cgroup controller; run it as root, or on a machine with cgroup v2 delegate the controller to the user (`systemctl edit user@.service`, Delegate=yes)";
    let want = &asked.host_config;
    let mut missing = Vec::new();
    let mut expect = |same: bool, control: &str, advice: &str| {
        if !same {
            missing.push(format!("{control}: {advice}"));
        }
    };
    let engine = "the engine did not take it over; use a newer engine";
    expect(want.network_mode == held.network_mode, "network", engine);
    expect(capabilities(held) == "none", "capabilities", engine);
    expect(held.readonly_rootfs == Some(true), "root", engine);
    expect(has_option(held, "no-new-privileges"), "privileges", engine);
    expect(
        seccomp(held, about) != "none" && seccomp(held, about) != "unconfined",
        "seccomp",
        "the engine filters no system calls; use an engine and a kernel built with seccomp",
    );
    expect(want.memory == held.memory, "memory", CGROUPS);
    expect(
        held.memory_swap == want.memory_swap && about.swap_limit,
        "swap",
        if want.memory == held.memory {
            "the kernel does not count swap; start it with `swapaccount=1`, use cgroup v2, or turn swap off"
        } else {
            CGROUPS
        },
    );
    let quota = |config: &HostConfig| (config.cpu_quota, config.cpu_period);
    expect(quota(want) == quota(held), "cpus", CGROUPS);
    expect(want.pids_limit == held.pids_limit, "pids", CGROUPS);
    expect(want.ipc_mode == held.ipc_mode, "ipc", engine);
    for limit in want.ulimits.iter().flatten() {
        let taken = held.ulimits.iter().flatten().any(|other| other == limit);
        let advice = if asked.dialect.podman { podman::ULIMITS } else { engine };
        expect(taken, limit.name.as_deref().unwrap_or("ulimit"), advice);
    }
    for path in ["/tmp", "/var/tmp", "/dev/shm", CODE_DIR] {
        let options = |config: &HostConfig| config.tmpfs.as_ref().and_then(|tmpfs| tmpfs.get(path).cloned());
        expect(options(want) == options(held), path, engine);
    }
    if asked.dialect.runtime.as_ref().is_some_and(|runtime| runtime.gvisor) {
        missing.extend(runtime::missing_in_gvisor());
    }
    let others = asked.warnings.iter().map(|warning| one_line(warning)).filter(|warning| {
        // Said above already, with advice.
        let lower = warning.to_ascii_lowercase();
        !lower.contains("swap") && !lower.contains("pids") && !lower.contains("cfs")
    });
    missing.extend(others);
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::docker::hardening::host_config;
    use crate::plan::{MIB, Sandbox};

    fn about() -> About {
        About {
            runtime: "runc".to_owned(),
            seccomp: Some("default".to_owned()),
            swap_limit: true,
            limits: Limits { memory: true, cpu: true, pids: true },
            runtimes: Vec::new(),
        }
    }

    fn asked() -> Asked {
        Asked {
            host_config: host_config(&Sandbox::new(128 * MIB, 500), &["/data".to_owned()], &Dialect::default()),
            dialect: Dialect::default(),
            warnings: Vec::new(),
            image: Image { reference: "python:3.13".to_owned(), digest: "sha256:aa".to_owned(), size: 1 },
        }
    }

    fn answer(held: HostConfig) -> ContainerInspectResponse {
        let config = bollard::models::ContainerConfig { user: Some("65534:65534".to_owned()), ..Default::default() };
        ContainerInspectResponse { host_config: Some(held), config: Some(config), ..Default::default() }
    }

    #[test]
    fn an_engine_that_took_everything_over_misses_nothing() {
        let receipt = receipt(answer(asked().host_config), &asked(), &about(), "28.0");
        assert_eq!(receipt.missing, Vec::<String>::new());
        insta::assert_snapshot!(serde_json::to_string_pretty(&receipt).unwrap());
    }

    #[test]
    fn what_the_engine_discarded_is_named_with_the_way_to_get_it() {
        let mut held = asked().host_config;
        held.pids_limit = None;
        held.cpu_quota = Some(0);
        held.readonly_rootfs = Some(false);
        held.tmpfs = None;
        held.ulimits = None;
        let about = About { seccomp: None, swap_limit: false, ..about() };
        let receipt = receipt(answer(held), &asked(), &about, "28.0");
        insta::assert_snapshot!(receipt.missing.join("\n"));
        assert_eq!(receipt.controls["pids"], "unlimited");
        assert_eq!(receipt.controls["root"], "writable");
    }

    #[test]
    fn what_the_engine_repeats_and_cannot_do_is_not_believed() {
        let limits = Limits { memory: false, cpu: false, pids: false };
        let about = About { swap_limit: false, limits, ..about() };
        let receipt = receipt(answer(asked().host_config), &asked(), &about, "20.10");
        for control in ["memory", "swap", "cpus", "pids"] {
            assert!(receipt.lacks(control), "{control}: {:?}", receipt.missing);
            assert_eq!(receipt.controls[control], "unlimited");
        }
        assert_eq!(receipt.missing.len(), 4);
    }
}
