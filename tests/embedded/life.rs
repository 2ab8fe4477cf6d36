//! The life of a sandbox: streams, exit, kill, what is left.

use crate::harness::{engine, run_with, sandbox, shell};

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_command_has_its_three_streams() {
    let engine = engine();
    let outcome = run_with(&engine, sandbox(), &["sh", "-c", "cat; echo err >&2; exit 3"], b"in").await;
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str(), outcome.exit.status), ("in", "err\n", 3));
    println!("{:#?}", outcome.receipt);
    println!("{:#?}", outcome.usage);
    println!(
        "{}",
        shell(&engine, "id; ls -la / /etc /dev /proc/; cat /proc/mounts; env; cat /proc/self/status").await.stdout
    );
}
