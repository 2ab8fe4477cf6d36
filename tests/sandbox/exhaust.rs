//! Programs that take without end: each is bounded, says why, and leaves the machine as it was.

use std::time::Duration;

use runpen::plan::{MIB, Sandbox};

use crate::support::{ALPINE, Bench, Kind, PYTHON, gives, probe, sandbox, within};

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_full_folder_says_no_space_left_and_kills_nobody() {
    let bench = Bench::new().await;
    let sandbox = sandbox();
    let (seen, ran) = bench.probe("fill", if gives("/tmp files") { "" } else { "bytes" }, sandbox).await;
    assert_eq!((ran.exit.status, ran.exit.out_of_memory), (0, false));
    let bounds =
        [("/tmp", sandbox.tmp), ("/var/tmp", sandbox.var_tmp), ("/runpen", sandbox.code), ("/dev/shm", sandbox.shm)];
    for (folder, bound) in bounds {
        let seen = &seen[folder];
        assert_eq!(seen["bytes_error"], "ENOSPC", "{folder}");
        assert!(seen["bytes"].as_u64().unwrap() <= bound.size, "{folder}: {seen}");
        assert!(seen["bytes"].as_u64().unwrap() > bound.size / 2, "{folder}: {seen}");
        if gives("/tmp files") {
            assert_eq!(seen["inodes_error"], "ENOSPC", "{folder}");
            assert_eq!(seen["both_error"], "ENOSPC", "{folder}");
            assert!(seen["inodes"].as_u64().unwrap() <= bound.inodes, "{folder}: {seen}");
        }
    }
    for (folder, seen) in seen.as_object().unwrap() {
        assert!(bounds.iter().any(|(known, _)| known == folder) || seen["bytes"] == 0, "{folder}: {seen}");
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn files_without_end_meet_the_limit_on_memory_where_nothing_else_bounds_them() {
    // Making that many takes gVisor minutes.
    if gives("/tmp files") || !gives("memory") || Kind::get() == Kind::Gvisor {
        return;
    }
    let bench = Bench::new().await;
    let ran = bench.run(PYTHON, &probe("fill", ""), sandbox()).await;
    assert_eq!((ran.exit.status, ran.exit.out_of_memory), (137, true), "{}", ran.stdout);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_full_folder_kills_nobody_in_the_smallest_sandbox_either() {
    let bench = Bench::new().await;
    // A shell, with what the table gives to shell programs.
    let script = "for d in /tmp /var/tmp /runpen /dev/shm; do cat /dev/zero > $d/fill 2>/dev/null || echo refused; done; echo alive";
    let ran = bench.run(ALPINE, &["/bin/sh", "-c", script], Sandbox::new(64 * MIB, 2000)).await;
    assert!(ran.stdout.ends_with("alive\n"), "{}{} {:?}", ran.stdout, ran.stderr, ran.exit);
    assert_eq!((ran.exit.status, ran.exit.out_of_memory), (0, false));
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn shared_memory_and_queues_are_small() {
    let bench = Bench::new().await;
    if !bench.bounds("shared memory").await {
        return;
    }
    let (seen, ran) = bench.probe("shared_memory", "", sandbox()).await;
    // None at all where nobody counts it.
    let (error, queues) = if Kind::get() == Kind::UserEmbedded { ("EPERM", 0) } else { ("ENOSPC", 16) };
    assert_eq!(seen["error"], error);
    assert!(seen["bytes"].as_u64().unwrap() <= 4 * MIB, "{seen}");
    assert_eq!(seen["queues"], queues);
    assert!(!ran.exit.out_of_memory);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn processes_are_counted() {
    let bench = Bench::new().await;
    if !bench.bounds("pids").await || !bench.bounds("processes").await {
        return;
    }
    let (seen, _) = bench.probe("processes", "", sandbox()).await;
    assert_eq!(seen["error"], "EAGAIN");
    assert_eq!(seen["children"], 63, "64 with the first one");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_fork_bomb_is_removed_like_anything_else() {
    let bench = Bench::new().await;
    if !bench.bounds("pids").await {
        return;
    }
    let bomb = bench.start(PYTHON, &probe("fork_bomb", ""), sandbox()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The engine and other runs go on meanwhile.
    let ran = bench.run(ALPINE, &["/bin/sh", "-c", "echo alive"], sandbox()).await;
    assert_eq!(ran.stdout, "alive\n");
    within("the removal of a fork bomb", bomb.handle.remove()).await.unwrap();
    let status = within("its end", bomb.handle.wait()).await.unwrap().status;
    // gVisor may have ended of it before.
    assert!(status == 137 || status != 0 && Kind::get() == Kind::Gvisor, "{status}");
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn taking_memory_without_end_is_told_as_such() {
    let bench = Bench::new().await;
    if !bench.bounds("memory").await {
        return;
    }
    let ran = bench.run(PYTHON, &probe("allocate", ""), sandbox()).await;
    assert_eq!(ran.exit.status, 137);
    assert!(ran.exit.out_of_memory);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_child_that_takes_too_much_dies_alone() {
    let bench = Bench::new().await;
    if !bench.bounds("memory").await || !bench.bounds("memory of a child").await {
        return;
    }
    let (seen, ran) = bench.probe("allocate_in_child", "", sandbox()).await;
    assert_eq!(seen["signal"], 9);
    assert_eq!(ran.exit.status, 0);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_limit_on_processes_counts_for_one_container_alone() {
    // The kernel counts RLIMIT_NPROC per user id across containers; the pids limit must be what bounds.
    let bench = Bench::new().await;
    if !bench.bounds("pids").await || !bench.bounds("processes").await {
        return;
    }
    let mut crowd = Vec::new();
    for _ in 0..4 {
        let script = "i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i+1)); done; echo full; cat";
        crowd.push(bench.start(ALPINE, &["/bin/sh", "-c", script], sandbox()).await);
    }
    for container in &mut crowd {
        assert_eq!(crate::support::first(container).await, "full\n");
    }
    let (seen, _) = bench.probe("processes", "", sandbox()).await;
    assert_eq!(seen["children"], 63);
    for container in crowd {
        container.handle.remove().await.unwrap();
    }
}
