//! What the engine says it holds, asked by the `docker` command: every row of the table.

use serde_json::{Value, json};

use crate::support::{ALPINE, Bench, Kind, finish, gives, inspect, sandbox};

/// A part of a document, by its path.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

/// What other engines than Docker say of the same.
fn said(path: &str) -> Option<Value> {
    // Of a container that drops all, Podman names what it would have had.
    const CAPABILITIES: [&str; 14] = [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    let limits = ["/HostConfig/Memory", "/HostConfig/MemorySwap", "/HostConfig/CpuPeriod", "/HostConfig/CpuQuota"];
    let unlimited = limits.contains(&path) || path == "/HostConfig/PidsLimit";
    match (Kind::get(), path) {
        (Kind::Podman | Kind::UserPodman, "/HostConfig/CapDrop") => Some(json!(CAPABILITIES)),
        (Kind::Podman | Kind::UserPodman, "/HostConfig/IpcMode") => Some(json!("shareable")),
        (Kind::Podman | Kind::UserPodman, "/HostConfig/PidMode" | "/HostConfig/UTSMode") => Some(json!("private")),
        (Kind::Podman | Kind::UserPodman, "/HostConfig/CgroupnsMode") => Some(json!("")),
        (Kind::Podman | Kind::UserPodman, "/Config/StdinOnce") => Some(json!(false)),
        (Kind::Podman | Kind::UserPodman, "/Config/StopSignal") => Some(json!("9")),
        (Kind::UserPodman, _) if unlimited => Some(json!(0)),
        // The room for its own kernel comes on top.
        (Kind::Gvisor, "/HostConfig/Memory" | "/HostConfig/MemorySwap") => Some(json!(192 << 20)),
        (Kind::Gvisor, "/HostConfig/PidsLimit") => Some(json!(64 + 128)),
        _ => None,
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn every_control_is_held_by_the_engine() {
    let bench = Bench::new().await;
    let sandbox = sandbox();
    let container = bench.start(ALPINE, &["/bin/sh", "-c", "cat"], sandbox).await;
    let seen = inspect(container.handle.name());
    let rows = [
        ("/HostConfig/NetworkMode", json!("none")),
        ("/Config/User", json!("65534:65534")),
        ("/HostConfig/CapDrop", json!(["ALL"])),
        ("/HostConfig/CapAdd", Value::Null),
        ("/HostConfig/Privileged", json!(false)),
        ("/HostConfig/SecurityOpt/0", json!("no-new-privileges")),
        ("/HostConfig/ReadonlyRootfs", json!(true)),
        ("/HostConfig/Memory", json!(128 << 20)),
        ("/HostConfig/MemorySwap", json!(128 << 20)),
        ("/HostConfig/CpuPeriod", json!(100_000)),
        ("/HostConfig/CpuQuota", json!(200_000)),
        ("/HostConfig/PidsLimit", json!(64)),
        ("/HostConfig/IpcMode", json!("none")),
        ("/HostConfig/PidMode", json!("")),
        ("/HostConfig/UTSMode", json!("")),
        ("/HostConfig/CgroupnsMode", json!("private")),
        ("/HostConfig/Binds", Value::Null),
        ("/HostConfig/Devices", Value::Null),
        ("/HostConfig/VolumesFrom", Value::Null),
        ("/HostConfig/LogConfig/Type", json!("none")),
        ("/HostConfig/RestartPolicy/Name", json!("no")),
        ("/HostConfig/AutoRemove", json!(false)),
        ("/HostConfig/PublishAllPorts", json!(false)),
        ("/HostConfig/PortBindings", Value::Null),
        ("/Config/Tty", json!(false)),
        ("/Config/OpenStdin", json!(true)),
        ("/Config/StdinOnce", json!(true)),
        ("/Config/Healthcheck/Test", json!(["NONE"])),
        ("/Config/WorkingDir", json!("/")),
        ("/Config/StopSignal", json!("SIGKILL")),
        ("/Config/Labels/dev.runpen.owner", json!(bench.owner.id())),
        ("/Config/Labels/dev.runpen.version", json!(env!("CARGO_PKG_VERSION"))),
        ("/Mounts", json!([])),
        ("/LogPath", json!("")),
    ];
    for (path, expected) in rows {
        let expected = said(path).unwrap_or(expected);
        let empty = expected.is_null() && (at(&seen, path) == &json!([]) || at(&seen, path) == &json!({}));
        assert!(at(&seen, path) == &expected || empty, "{path}: {} and not {expected}", at(&seen, path));
    }
    let tmpfs = at(&seen, "/HostConfig/Tmpfs").as_object().unwrap();
    for path in ["/tmp", "/var/tmp", "/dev/shm", "/runpen"] {
        let options = tmpfs[path].as_str().unwrap();
        for option in ["rw", "noexec", "nosuid", "nodev", "nr_inodes=", "size="] {
            let there = options.contains(option) || option == "nr_inodes=" && Kind::get().is_podman();
            assert!(there, "{path}: {options} without {option}");
        }
    }
    // Podman's own writable /run is covered.
    assert_eq!(tmpfs.len(), if Kind::get().is_podman() { 5 } else { 4 });
    for (name, value) in [("nofile", 64), ("nproc", 4096), ("core", 0), ("msgqueue", 819_200)] {
        if !gives(name) {
            continue;
        }
        let limits = at(&seen, "/HostConfig/Ulimits").as_array().unwrap();
        let called =
            |limit: &&Value| limit["Name"].as_str().unwrap().trim_start_matches("RLIMIT_").to_ascii_lowercase() == name;
        let limit = limits.iter().find(called).unwrap_or_else(|| panic!("no limit {name}"));
        assert_eq!((&limit["Hard"], &limit["Soft"]), (&json!(value), &json!(value)), "{name}");
    }
    assert!(container.handle.name().starts_with(&bench.owner.name_prefix()));
    finish(container).await;
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn the_receipt_is_what_the_engine_holds() {
    let bench = Bench::new().await;
    let mut sandbox = sandbox();
    sandbox.milli_cpus = 500;
    sandbox.code.exec = true;
    let container = bench.start(ALPINE, &["/bin/sh", "-c", "cat"], sandbox).await;
    let held = inspect(container.handle.name());
    let image = inspect(ALPINE);
    let receipt = finish(container).await.receipt;
    let mut missing: Vec<&str> = receipt.missing.iter().map(|line| line.split(": ").next().unwrap()).collect();
    missing.sort_unstable();
    assert_eq!(missing, Kind::get().lacks(), "{:#?}", receipt.missing);
    assert!(
        receipt.missing.iter().all(|line| line.contains("; ") && !line.contains('\n')),
        "no way to get it is named"
    );
    assert_eq!(receipt.engine, "docker");
    assert_eq!(receipt.image, ALPINE);
    let digest = receipt.digest.unwrap();
    // Podman gives one to an image that came from no registry; elsewhere its own id must do.
    let digests = image["RepoDigests"].to_string();
    assert!(image["Id"] == digest || digests.contains(&format!("@{digest}")), "{digest}: {digests}");
    let runtime = held["HostConfig"]["Runtime"].as_str().unwrap();
    assert_eq!(receipt.runtime, if runtime == "oci" { "runc" } else { runtime });
    for (control, expected) in [
        ("network", "none"),
        ("user", "65534:65534"),
        ("capabilities", "none"),
        ("privileges", "no-new-privileges"),
        ("root", "read-only"),
        ("memory", "134217728"),
        ("swap", "off"),
        ("cpus", "0.5"),
        ("pids", "64"),
        ("seccomp", "runpen"),
        ("ipc", "none"),
        ("log", "none"),
        ("nofile", "64"),
        ("core", "0"),
    ] {
        let expected = match (Kind::get(), control) {
            (Kind::Gvisor, "memory") => "201326592",
            (Kind::Gvisor, "pids") => "192",
            _ => expected,
        };
        if gives(control) {
            assert_eq!(receipt.controls[control], expected, "{control}");
        } else {
            let held = receipt.controls.get(control).map_or("unlimited", String::as_str);
            assert!(held != expected, "{control} is there and said to be missing");
        }
    }
    assert!(receipt.controls["/runpen"].contains(",exec,"));
    assert!(receipt.controls["/tmp"].contains(",noexec,"));
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_runtime_is_where_the_engine_says() {
    use runpen::engine::Engine;
    let bench = Bench::new().await;
    let info = bench.engine.info().await.unwrap();
    let version = crate::support::docker(&["version", "--format", "{{.Server.Version}}"]);
    assert_eq!((info.name.as_str(), info.version.as_str()), ("docker", version.trim()));
    assert!(!info.runtime.is_empty());
    assert_eq!(info.endpoint, bench.engine.endpoint());
}
