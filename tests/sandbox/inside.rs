//! The same controls from inside: a program that tries.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

#[cfg(target_os = "linux")]
use crate::refused;
use crate::support::{Bench, Kind, PYTHON, first, gives, probe, sandbox};

/// Errors that mean "refused".
const REFUSED: &[&str] = &["EACCES", "EPERM", "EROFS", "ENOENT"];

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn it_is_nobody_and_can_become_nobody_else() {
    let bench = Bench::new().await;
    let (seen, _) = bench.probe("identity", "", sandbox()).await;
    assert_eq!(seen["uids"], json!(["65534"; 4].to_vec()));
    assert_eq!(seen["gids"], json!(["65534"; 4].to_vec()));
    assert!(names(&seen["groups"]).iter().all(|group| *group == "65534"), "{}", seen["groups"]);
    for (set, value) in seen["capabilities"].as_object().unwrap() {
        assert_eq!(value, "0000000000000000", "{set}");
    }
    if Kind::get() != Kind::Gvisor {
        // Its kernel is the filter.
        assert_eq!(seen["no_new_privs"], "1");
        assert_eq!(seen["seccomp"], "2");
    }
    // There root is no user of the namespace: there is not even one to become.
    let refused = if Kind::get().is_embedded() { "EINVAL" } else { "EPERM" };
    assert_eq!(seen["setuid"], refused);
    for attempt in ["setgroups", "chroot"] {
        assert_eq!(seen[attempt], "EPERM", "{attempt}");
    }
    assert!(!gives("nofile") || seen["raise_nofile"] == "ValueError", "a hard limit must hold");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn it_sees_nothing_of_the_host() {
    let bench = Bench::new().await;
    let (seen, _) = bench.probe("identity", "", sandbox()).await;
    assert_eq!(seen["pid"], 1);
    assert_eq!(names(&seen["processes"]), ["1"]);
    assert_eq!(seen["engine_sockets"], json!([]));
    assert_eq!(seen["hostname"], "runpen");
    let (folder, own): (_, &[&str]) = match Kind::get() {
        kind if kind.is_embedded() => ("/runpen", &["LANG"]),
        // It says that it is Podman.
        kind if kind.is_podman() => ("/", &["TERM", "container"]),
        _ => ("/", &[]),
    };
    assert_eq!(seen["working_folder"], folder);
    for line in names(&seen["cgroup"]) {
        assert!(!gives("cgroup namespace") || line.ends_with(":/"), "the container's place on the host shows: {line}");
    }
    let environment = seen["environment"].as_object().unwrap();
    for (name, value) in environment {
        let own = own.contains(&name.as_str());
        assert!(own || ["PATH", "HOME", "HOSTNAME", "LC_CTYPE"].contains(&name.as_str()), "{name}={value}");
    }
    for device in names(&seen["devices"]) {
        let harmless = ["core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin"];
        // Of gVisor's own kernel.
        let own = Kind::get() == Kind::Gvisor && ["fuse", "net"].contains(&device);
        let harmless = own || harmless.contains(&device) || ["stdout", "tty", "urandom", "zero"].contains(&device);
        assert!(harmless, "/dev/{device}");
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn limits_of_a_process_hold() {
    let bench = Bench::new().await;
    let (seen, _) = bench.probe("identity", "", sandbox()).await;
    // Where it counts this sandbox alone, the limit on processes is the plan's own bound. A limit of 0 on core files does not
    // keep the kernel from starting a handler for them, and one of 1 does.
    let (nproc, core) = if Kind::get().is_embedded() { (64, 1) } else { (4096, 0) };
    for (limit, value) in [("nofile", 64), ("nproc", nproc), ("core", core), ("msgqueue", 819_200)] {
        assert!(!gives(limit) || seen["limits"][limit] == json!([value, value]), "{limit}: {}", seen["limits"][limit]);
    }
    // An ordinary user's sandbox has none at all, which the attack on it shows.
    if gives("shared memory") && Kind::get() != Kind::UserEmbedded {
        assert_eq!(seen["shm_limits"]["kernel/shmmni"], "64");
        assert_eq!(seen["shm_limits"]["kernel/shmall"], "1024");
    }
    if !bench.bounds("nofile").await {
        return;
    }
    let (seen, _) = bench.probe("files", "", sandbox()).await;
    assert_eq!(seen["error"], "EMFILE");
    assert!(seen["opened"].as_u64().unwrap() < 64);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn nothing_is_writable_but_the_four_folders() {
    let bench = Bench::new().await;
    let (seen, _) = bench.probe("writes", "", sandbox()).await;
    let ours = ["/dev/shm", "/runpen", "/tmp", "/var/tmp"];
    let mut found = names(&seen["found"]);
    // POSIX message queues are files of a kind, bounded by their own limit; nothing can be stored in one by writing.
    found.retain(|folder| *folder != "/dev/mqueue");
    assert_eq!(found, ours);
    for (folder, answer) in seen["folders"].as_object().unwrap() {
        let answer = answer.as_str().unwrap();
        if ours.contains(&folder.as_str()) {
            assert_eq!(answer, "done", "{folder}");
        } else {
            assert!(REFUSED.contains(&answer), "{folder}: {answer}");
        }
    }
    for (file, answer) in seen["files"].as_object().unwrap() {
        assert!(REFUSED.contains(&answer.as_str().unwrap()), "{file}: {answer}");
    }
    for (point, mount) in seen["mounts"].as_object().unwrap() {
        let options = names(&mount["options"]);
        if ours.contains(&point.as_str()) {
            // gVisor has no set-user-id programs under no-new-privileges and no devices, and shows neither option.
            let shown = if Kind::get() == Kind::Gvisor { &["noexec"][..] } else { &["nosuid", "nodev", "noexec"] };
            for option in shown {
                assert!(options.contains(option), "{point}: {options:?}");
            }
            assert!(options.iter().any(|option| option.starts_with("size=")), "{point}: {options:?}");
            let bounded = options.iter().any(|option| option.starts_with("nr_inodes="));
            assert!(bounded || !gives(&format!("{point} files")), "{point}: {options:?}");
        }
    }
    assert!(names(&seen["mounts"]["/"]["options"]).contains(&"ro"));
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn only_the_loopback_device_is_there() {
    let bench = Bench::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = format!("runpen-test-{port}");
    let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name);
    let abstract_listener = std::os::unix::net::UnixListener::bind_addr(&address.unwrap()).unwrap();
    let (seen, _) = bench.probe("network", &format!("{port},{name}"), sandbox()).await;
    assert_eq!(names(&seen["interfaces"]), ["lo"]);
    assert_eq!(seen["routes"], json!([]));
    assert!(names(&seen["routes6"]).iter().all(|device| *device == "lo"), "{}", seen["routes6"]);
    for udp in ["udp", "udp6"] {
        let answer = seen[udp].as_str().unwrap();
        // The fourth is gVisor's word for it.
        let nowhere = ["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EHOSTUNREACH"].contains(&answer);
        assert!(nowhere, "{udp}: {answer}");
    }
    assert_eq!(seen["host_loopback"], "ECONNREFUSED");
    assert_eq!(seen["host_abstract_socket"], "ECONNREFUSED");
    assert_eq!(seen["raw"], "EPERM");
    assert_eq!(seen["packet"], "EPERM");
    assert_eq!(seen["loopback"], "done");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody may have come");
    drop(abstract_listener);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn dangerous_system_calls_are_refused() {
    let bench = Bench::new().await;
    let (seen, _) = bench.probe("calls", "", sandbox()).await;
    for (call, answer) in seen.as_object().unwrap() {
        let answer = answer.as_str().unwrap();
        // gVisor's own kernel has neither handles of files nor counters of the processor, joins no namespaces, and makes new
        // ones of itself alone: the machine's see nothing of it.
        let own = [
            ("open_by_handle_at", "ENOTSUP"),
            ("perf_event_open", "ENODEV"),
            ("setns", "ENOTSUP"),
            ("unshare_mount", "done"),
            ("unshare_network", "done"),
            ("unshare_user", "done"),
        ];
        let unknown = Kind::get() == Kind::Gvisor && own.contains(&(call.as_str(), answer));
        assert!(unknown || ["EPERM", "EACCES", "ENOSYS"].contains(&answer), "{call}: {answer}");
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn programs_run_only_from_the_code_folder_and_only_when_planned() {
    let bench = Bench::new().await;
    let (seen, _) = bench.probe("execute", "", sandbox()).await;
    for folder in ["/dev/shm", "/runpen", "/tmp", "/var/tmp"] {
        assert_eq!(seen[folder]["script"], "EACCES", "{folder}");
        let mapped = if gives("mapped code") { "EPERM" } else { "done" };
        assert_eq!(seen[folder]["mapped"], mapped, "{folder}");
    }
    let mut planned = sandbox();
    planned.code.exec = true;
    let (seen, _) = bench.probe("execute", "", planned).await;
    assert_eq!(seen["/runpen"]["script"], "done");
    for folder in ["/dev/shm", "/tmp", "/var/tmp"] {
        assert_eq!(seen[folder]["script"], "EACCES", "{folder}");
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn another_run_leaves_no_trace() {
    let bench = Bench::new().await;
    let secret = "4f1c-a-secret";
    let mut other = bench.start(PYTHON, &probe("leave", secret), sandbox()).await;
    assert!(first(&mut other).await.contains("ready"));
    // Beside it, while it lives, and after it is gone.
    for _ in 0..2 {
        let (seen, _) = bench.probe("find", secret, sandbox()).await;
        assert_eq!(seen["files"], json!([]));
        assert_eq!(seen["shared_memory"], -1);
        assert_eq!(names(&seen["processes"]), ["1"]);
        assert_eq!(seen["in_environment"], false);
        let _ = other.stdin.shutdown().await;
        other.handle.remove().await.unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn every_call_that_the_table_refuses_is_refused_and_outside_it_is_not() {
    if Kind::get() == Kind::Gvisor {
        return; // The filter guards the machine's kernel, which no program in gVisor calls; what its own says is above.
    }
    let bench = Bench::new().await;
    let ran = bench.run(PYTHON, &["python3", "-I", "-c", &refused::program()], sandbox()).await;
    assert_eq!((ran.exit.status, ran.stderr.as_str()), (0, ""));
    refused::check(&ran.stdout);
    refused::check_outside();
}
