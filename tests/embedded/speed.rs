//! How fast it is. Figures are printed; what is asserted is loose, since a test machine is shared.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runpen::plan::{MIB, Sandbox};

use crate::harness::{engine, start};

const HELLO: [&str; 3] = ["/usr/bin/python3", "-c", "print(42)"];

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn bare() -> Duration {
    let begin = Instant::now();
    let output = Command::new(HELLO[0]).args(&HELLO[1..]).env_clear().stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.stdout, b"42\n");
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_start_costs_a_few_milliseconds() {
    let engine = engine();
    let sandbox = Sandbox::new(128 * MIB, 2000);
    let (mut bares, mut firsts, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..60 {
        bares.push(tokio::task::spawn_blocking(bare).await.unwrap());
        let begin = Instant::now();
        let mut container = start(&engine, sandbox, &HELLO).await;
        starts.push(begin.elapsed());
        assert_eq!(&container.output.recv().await.unwrap().bytes[..], b"42\n");
        firsts.push(begin.elapsed());
        container.handle.wait().await.unwrap();
    }
    let (bare, first, start) = (median(bares), median(firsts), median(starts));
    println!("p50: bare python {bare:?}, first byte {first:?}, of which start {start:?}");
    assert!(first < bare + Duration::from_millis(25), "{first:?} against {bare:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn many_at_once_keep_the_machine_busy_and_not_us() {
    const RUNS: usize = 320;
    let engine = Arc::new(engine());
    let begin = Instant::now();
    let gate = Arc::new(tokio::sync::Semaphore::new(16));
    let mut tasks = Vec::new();
    for _ in 0..RUNS {
        let (engine, gate) = (Arc::clone(&engine), Arc::clone(&gate));
        tasks.push(tokio::spawn(async move {
            let _turn = gate.acquire().await.unwrap();
            let mut container = start(&engine, Sandbox::new(128 * MIB, 2000), &HELLO).await;
            assert_eq!(&container.output.recv().await.unwrap().bytes[..], b"42\n");
            assert_eq!(container.handle.wait().await.unwrap().status, 0);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = RUNS as f64 / begin.elapsed().as_secs_f64();
    println!("{rate:.0} python runs/s, 16 at once");
    assert!(rate > 20.0);
}
