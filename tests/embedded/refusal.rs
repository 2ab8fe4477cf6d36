//! Machines that cannot have a sandbox, and which engine runs: through the command line, as a user meets it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs a shell line in which `$RUNPEN` is the binary, with a program on standard input.
fn line(line: &str) -> Output {
    let runpen = std::env::var_os("RUNPEN_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_runpen").into());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "").unwrap();
    let mut child = Command::new("/bin/sh")
        .args(["-c", line])
        .env("RUNPEN", runpen)
        .env("RUNPEN_CONFIG", folder.path().join("config.toml"))
        .env("RUNPEN_CACHE_DIR", folder.path())
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have been refused before it reads.
    let _ = child.stdin.take().unwrap().write_all(b"print(6*7)");
    child.wait_with_output().unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), b"".as_slice()), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
fn without_user_namespaces_it_refuses_with_the_reason_and_runs_nothing() {
    // The switch of a user namespace of its own: the machine's stays as it is.
    let off = "unshare --user --map-current-user --keep-caps sh -c \
               'echo 0 >/proc/sys/user/max_user_namespaces && exec \"$RUNPEN\" run --engine ENGINE --lang python -'";
    let text = refused(&line(&off.replace("ENGINE", "embedded")));
    assert!(text.contains("user namespaces are switched off: user.max_user_namespaces is 0"), "{text}");
    assert!(text.contains("sudo sysctl user.max_user_namespaces="), "{text}");
    let text = refused(&line(&off.replace("ENGINE", "auto")));
    assert!(text.contains("/nowhere/docker.sock") && text.contains("user.max_user_namespaces is 0"), "{text}");
}

#[test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
fn where_no_docker_answers_the_first_command_runs_here_and_says_so() {
    let output = line("\"$RUNPEN\" run --lang python -");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"42\n".as_slice()), "{output:?}");
    let output = line("\"$RUNPEN\" run --json --lang python -");
    let end = String::from_utf8_lossy(&output.stdout).lines().last().map(str::to_owned).unwrap();
    let end: serde_json::Value = serde_json::from_str(&end).unwrap();
    assert_eq!((&end["event"], &end["outcome"]), (&"finished".into(), &"exited".into()), "{end}");
    assert_eq!((&end["sandbox"]["engine"], &end["sandbox"]["runtime"]), (&"embedded".into(), &"namespaces".into()));
    assert!(end["sandbox"]["image"].as_str().unwrap().starts_with("/usr/bin/python3 (Python 3"), "{end}");
}

#[test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
fn where_docker_is_demanded_nothing_runs_here() {
    let text = refused(&line("\"$RUNPEN\" run --engine docker --lang python -"));
    assert!(text.contains("/nowhere/docker.sock") && !text.contains("embedded ("), "{text}");
    let text = refused(&line(
        "cd \"$(mktemp -d)\" && echo 'engine = \"docker\"' >.runpen.toml && echo 'print(1)' >a.py && \"$RUNPEN\" run a.py",
    ));
    assert!(text.contains("/nowhere/docker.sock"), "{text}");
}

#[test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
fn every_language_says_what_would_run_it_here_or_what_to_install() {
    let output = line("\"$RUNPEN\" languages --json --engines");
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    for row in &rows {
        let embedded = &row["engines"]["embedded"];
        let missing = embedded["missing"].as_str().is_some_and(|text| text.contains("apt install "));
        let found = embedded["toolchain"].as_str().is_some_and(|text| text.starts_with("/usr/"));
        assert!(missing != found, "{}: {embedded}", row["name"]);
    }
    let python = rows.iter().find(|row| row["name"] == "python").unwrap();
    assert!(python["engines"]["embedded"]["toolchain"].as_str().unwrap().contains("(Python 3."), "{python}");
    assert_eq!(python["engines"]["docker"], python["image"]);
}
