//! The probes that `runpen doctor` runs: they must see a good sandbox as good, and a bad one as bad.

use runpen::engine::probe::{Probe, examine, probe};
use runpen::plan::{MIB, Sandbox};

use crate::support::{ALPINE, Bench, Kind, PYTHON, gives, isolated};

fn bad(probes: &[Probe]) -> Vec<String> {
    let row = |probe: &Probe| format!("{}: {} and not {}", probe.control, probe.seen, probe.expected);
    // What an engine cannot give is named by it, and not a mistake of ours.
    let wrong = |probe: &&Probe| !probe.ok && !probe.missing;
    probes.iter().filter(wrong).map(row).collect()
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn every_probe_is_good_in_busybox_and_in_coreutils() {
    let bench = Bench::new().await;
    for image in [ALPINE, PYTHON] {
        let probes = probe(&bench.engine, image, isolated(Sandbox::new(64 * MIB, 500))).await.unwrap();
        for probe in &probes {
            println!("{:24} {:30} {}", probe.control, probe.expected, probe.seen);
        }
        assert_eq!(bad(&probes), Vec::<String>::new(), "{image}");
        // gVisor keeps some controls where no program can see them.
        assert!(probes.len() > if Kind::get() == Kind::Gvisor { 20 } else { 30 }, "{}", probes.len());
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_sandbox_that_is_not_as_asked_is_seen() {
    let bench = Bench::new().await;
    let mut loose = Sandbox::new(64 * MIB, 500);
    loose.code.exec = true;
    loose.tmp.size *= 2;
    loose.memory *= 4;
    loose.milli_cpus = 1500;
    loose.nofile = 128;
    let found = examine(&bench.engine, ALPINE, isolated(loose), isolated(Sandbox::new(64 * MIB, 500))).await.unwrap();
    let mut controls: Vec<_> =
        found.probes.iter().filter(|probe| !probe.ok && !probe.missing).map(|probe| probe.control.as_str()).collect();
    // The engine's word for what no program in gVisor sees; nothing of what the engine says itself that it does not give.
    let mut expected = vec!["/runpen execution", "/tmp bytes"];
    expected.extend(match Kind::get() {
        Kind::Docker | Kind::Podman | Kind::Embedded => &["CPU", "memory", "open files"][..],
        Kind::RootlessDocker | Kind::UserEmbedded => &["open files"],
        Kind::UserPodman => &[],
        Kind::Gvisor => &["CPU, by the engine", "memory, by the engine", "open files"],
    });
    controls.sort_unstable();
    assert_eq!(controls, expected);
    let receipt = found.receipt.unwrap();
    let cpus = receipt.controls.get("cpus").map_or("unlimited", String::as_str);
    assert_eq!(cpus, if gives("cpus") { "1.5" } else { "unlimited" });
}
