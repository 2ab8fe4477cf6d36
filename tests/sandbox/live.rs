//! The probes that `runpen doctor` runs: they must see a good sandbox as good, and a bad one as bad.

use runpen::engine::probe::{Probe, examine, probe};
use runpen::plan::{MIB, Sandbox};

use crate::support::{ALPINE, Bench, PYTHON};

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
        let probes = probe(&bench.engine, image, Sandbox::new(64 * MIB, 500)).await.unwrap();
        for probe in &probes {
            println!("{:24} {:30} {}", probe.control, probe.expected, probe.seen);
        }
        assert_eq!(bad(&probes), Vec::<String>::new(), "{image}");
        assert!(probes.len() > 30);
    }
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn a_sandbox_that_is_not_as_asked_is_seen() {
    let bench = Bench::new().await;
    let mut loose = Sandbox::new(64 * MIB, 500);
    loose.code.exec = true;
    loose.tmp.size *= 2;
    loose.memory *= 2;
    loose.milli_cpus = 1500;
    loose.nofile = 128;
    let found = examine(&bench.engine, ALPINE, loose, Sandbox::new(64 * MIB, 500)).await.unwrap();
    let controls: Vec<_> =
        found.probes.iter().filter(|probe| !probe.ok && !probe.missing).map(|probe| probe.control.as_str()).collect();
    assert_eq!(controls, ["/tmp bytes", "/runpen execution", "memory", "CPU", "open files"]);
    assert_eq!(found.receipt.unwrap().controls["cpus"], "1.5");
}
