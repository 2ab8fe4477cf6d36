//! What it costs. Numbers go to the test's output; the bounds are loose, for a slow machine not to fail.

use std::time::{Duration, Instant};

use runpen::engine::Engine;
use tokio::io::AsyncWriteExt;

use crate::support::{ALPINE, Bench, first, sandbox, spec, within};

/// Median in milliseconds.
fn median(samples: &mut [Duration]) -> f64 {
    samples.sort();
    samples[samples.len() / 2].as_secs_f64() * 1000.0
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn each_step_of_a_container() {
    let bench = Bench::new().await;
    let (mut starts, mut firsts, mut ends, mut removals) = (vec![], vec![], vec![], vec![]);
    for _ in 0..9 {
        let begun = Instant::now();
        let mut container = bench.start(ALPINE, &["/bin/sh", "-c", "echo up; cat"], sandbox()).await;
        starts.push(begun.elapsed());
        assert_eq!(first(&mut container).await, "up\n");
        firsts.push(begun.elapsed());
        let begun = Instant::now();
        container.stdin.shutdown().await.unwrap();
        container.handle.wait().await.unwrap();
        ends.push(begun.elapsed());
        let begun = Instant::now();
        container.handle.remove().await.unwrap();
        removals.push(begun.elapsed());
    }
    let mut lookups = vec![];
    for _ in 0..9 {
        let begun = Instant::now();
        bench.engine.image(ALPINE).await.unwrap();
        lookups.push(begun.elapsed());
    }
    println!(
        "image {:.1} ms, create + attach + start {:.0} ms, first byte {:.0} ms, end of input to told end {:.0} ms, removal {:.0} ms",
        median(&mut lookups),
        median(&mut starts),
        median(&mut firsts),
        median(&mut ends),
        median(&mut removals),
    );
    assert!(median(&mut firsts) < 5000.0);
}

#[tokio::test]
#[ignore = "needs an engine: tests/run.sh sandbox"]
async fn output_flows_at_the_rate_of_the_engine() {
    const BYTES: u64 = 1 << 28;
    let bench = Bench::new().await;
    let mut sandbox = sandbox();
    sandbox.milli_cpus = 4000;
    let command = format!("head -c {BYTES} /dev/zero");
    let mut container = bench.engine.start(&spec(ALPINE, &["/bin/sh", "-c", &command], sandbox)).await.unwrap();
    let before = resident().await;
    let begun = Instant::now();
    let mut count = 0;
    within("all of the output", async {
        while let Some(chunk) = container.output.recv().await {
            count += chunk.bytes.len() as u64;
        }
    })
    .await;
    let elapsed = begun.elapsed();
    println!("{} MB/s", u128::from(BYTES) / elapsed.as_micros());
    assert_eq!(count, BYTES);
    container.handle.remove().await.unwrap();
    println!("resident before {before}, after {}", resident().await);
}

/// Peak of the resident memory of this process.
async fn resident() -> String {
    let status = tokio::fs::read_to_string("/proc/self/status").await.unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim().to_owned()
}
