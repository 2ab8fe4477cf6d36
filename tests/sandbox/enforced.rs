//! What the engine says it holds, asked by the `docker` command: every row of the table.

use serde_json::{Value, json};

use crate::support::{ALPINE, Bench, finish, inspect, sandbox};

/// A part of a document, by its path.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
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
        let empty = expected.is_null() && (at(&seen, path) == &json!([]) || at(&seen, path) == &json!({}));
        assert!(at(&seen, path) == &expected || empty, "{path}: {} and not {expected}", at(&seen, path));
    }
    let tmpfs = at(&seen, "/HostConfig/Tmpfs").as_object().unwrap();
    for path in ["/tmp", "/var/tmp", "/dev/shm", "/runpen"] {
        let options = tmpfs[path].as_str().unwrap();
        for option in ["rw", "noexec", "nosuid", "nodev", "nr_inodes=", "size="] {
            assert!(options.contains(option), "{path}: {options} without {option}");
        }
    }
    assert_eq!(tmpfs.len(), 4);
    for (name, value) in [("nofile", 64), ("nproc", 4096), ("core", 0), ("msgqueue", 819_200)] {
        let limits = at(&seen, "/HostConfig/Ulimits").as_array().unwrap();
        let limit = limits.iter().find(|limit| limit["Name"] == name).unwrap_or_else(|| panic!("no limit {name}"));
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
    assert_eq!(receipt.missing, Vec::<String>::new());
    assert_eq!(receipt.engine, "docker");
    assert_eq!(receipt.image, ALPINE);
    assert_eq!(receipt.digest.as_deref(), image["Id"].as_str(), "an image that came from no registry has its own id");
    assert_eq!(receipt.runtime, held["HostConfig"]["Runtime"].as_str().unwrap());
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
        assert_eq!(receipt.controls[control], expected, "{control}");
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
