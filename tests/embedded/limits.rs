//! Programs that take all they can get: memory, processes, disk, inodes, files, CPU time, output.

use std::time::{Duration, Instant};

use runpen::plan::MIB;

use crate::harness::{engine, in_cgroup, python, run_with, sandbox, shell, start};

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn an_allocator_ends_and_is_named() {
    let engine = engine();
    let outcome = python(&engine, "a = []\nwhile True: a.append(bytearray(1 << 20))").await;
    assert!(outcome.exit.out_of_memory, "{outcome:?}");
    assert_eq!(outcome.exit.status, 137);
    assert!(outcome.usage.oom_kills.unwrap() > 0);
    if in_cgroup(&outcome.receipt) {
        let peak = outcome.usage.peak_memory_bytes.unwrap();
        assert!((100 * MIB..=128 * MIB).contains(&peak), "{peak}");
    }
    // A child is the one killed, and its parent lives on to tell.
    let outcome = shell(&engine, "python3 -c 'a = bytearray(1 << 28)'; echo status $?").await;
    assert!(outcome.exit.out_of_memory || outcome.stdout == "status 1\n", "{outcome:?}");
    assert_eq!(shell(&engine, "echo next").await.ok(), "next\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn many_small_allocators_end_too() {
    let program = "
import os, time
for _ in range(20):
    if os.fork() == 0:
        a = bytearray(12 << 20)
        time.sleep(30)
        os._exit(0)
while True: os.wait()
";
    let outcome = python(&engine(), program).await;
    assert!(outcome.exit.out_of_memory, "{outcome:?}");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn memory_that_is_shared_counts_like_any_other() {
    let program = "import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor at in range(0, 1 << 30, 4096): m[at] = 1";
    let outcome = python(&engine(), program).await;
    assert!(outcome.exit.out_of_memory, "{outcome:?}");
    // What belongs to no process is counted by a cgroup, and is refused where there is none.
    let program = "
import errno, os
try:
    fd = os.memfd_create('x')
    while True: os.write(fd, bytes(1 << 20))
except OSError as e: print(errno.errorcode[e.errno])
";
    let outcome = python(&engine(), program).await;
    if in_cgroup(&outcome.receipt) {
        assert!(outcome.exit.out_of_memory, "{outcome:?}");
    } else {
        assert_eq!(outcome.ok(), "ENOSYS\n");
    }
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_deep_tree_of_folders_is_gone_at_once() {
    let engine = engine();
    let line = "cd /tmp; python3 -c 'import os\ntry:\n  while True: os.mkdir(\"d\"); os.chdir(\"d\")\nexcept OSError as e: print(e.strerror)'; sleep 60";
    let mut container = start(&engine, sandbox(), &["sh", "-c", line]).await;
    let said = container.output.recv().await.unwrap();
    assert_eq!(&said.bytes[..], b"No space left on device\n");
    let begin = Instant::now();
    container.handle.remove().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn watches_of_files_leave_the_users_editor_its_own() {
    let program = "
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
n = 0
while libc.inotify_init() >= 0: n += 1
print(n, errno.errorcode[ctypes.get_errno()], open('/proc/sys/user/max_user_namespaces').read().strip())
";
    assert_eq!(python(&engine(), program).await.ok(), "16 EMFILE 0\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn processes_are_bounded() {
    let program = "
import os, time
n = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        n += 1
except BlockingIOError: print(n)
";
    let outcome = python(&engine(), program).await;
    let made: u32 = outcome.stdout.trim().parse().unwrap();
    assert!((50..=64).contains(&made), "{made}");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_fork_bomb_ends_with_its_sandbox() {
    let engine = engine();
    let container = start(&engine, sandbox(), &["sh", "-c", "b() { b | b & }; b; sleep 60"]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begin = Instant::now();
    container.handle.remove().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(shell(&engine, "echo next").await.ok(), "next\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn every_writable_place_is_bounded_in_bytes_and_inodes() {
    let program = "
import os
def fill(folder):
    f = open(folder + '/f', 'wb', buffering=0); n = 0
    try:
        while True: n += f.write(bytes(1 << 16))
    except OSError as e: print(folder, e.strerror, n)
    f.close(); os.unlink(folder + '/f'); n = 0
    try:
        while True: os.close(os.open(f'{folder}/{n}', os.O_CREAT)); n += 1
    except OSError as e: print(e.strerror, n < 4096)
    for i in range(n): os.unlink(f'{folder}/{i}')
for folder in ('/tmp', '/var/tmp', '/runpen', '/dev/shm'): fill(folder)
";
    let mut expected = String::new();
    for (folder, size) in [("/tmp", 64), ("/var/tmp", 8), ("/runpen", 32), ("/dev/shm", 4)] {
        let full = "No space left on device";
        expected.extend([format!("{folder} {full} {}\n{full} True\n", size * MIB)]);
    }
    assert_eq!(python(&engine(), program).await.ok(), expected);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn open_files_are_bounded() {
    let program = "
import os, resource
n = 0
try:
    while True: os.dup(0); n += 1
except OSError as e: print(e.strerror, n)
print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
";
    assert_eq!(python(&engine(), program).await.ok(), "Too many open files 61\n(1, 1) (64, 64)\n");
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn cpu_time_is_bounded_where_a_cgroup_can_hold_it() {
    let program = "import time\nb = time.monotonic()\nwhile time.monotonic() < b + 2: pass\nprint(time.process_time())";
    let outcome = python(&engine(), program).await;
    let used: f64 = outcome.stdout.trim().parse().unwrap();
    if in_cgroup(&outcome.receipt) {
        assert!(used < 1.4, "{used} s in 2 s with half a core");
    } else {
        assert!(outcome.receipt.missing.iter().any(|line| line.starts_with("cpus: ") && line.contains("systemd-run")));
    }
    assert!(outcome.usage.cpu_ms.unwrap() > 300.0, "{:?}", outcome.usage);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_flood_of_output_comes_in_bounded_pieces() {
    let outcome = run_with(&engine(), sandbox(), &["sh", "-c", "head -c 50000000 /dev/zero"], b"").await;
    assert_eq!((outcome.exit.status, outcome.stdout.len() >= 4 << 20), (0, true));
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn root_has_every_control_of_the_plan() {
    let outcome = shell(&engine(), "true").await;
    if rustix::process::geteuid().is_root() {
        assert!(in_cgroup(&outcome.receipt), "{:?}", outcome.receipt);
        assert_eq!(outcome.receipt.missing, Vec::<String>::new());
        assert_eq!(outcome.receipt.controls["memory"], (128 * MIB).to_string());
        assert_eq!(outcome.receipt.controls["cpus"], "0.5");
        assert_eq!(outcome.receipt.controls["pids"], "64");
    } else {
        assert!(in_cgroup(&outcome.receipt) || !outcome.receipt.missing.is_empty());
    }
}
