//! The machine's own toolchains run inside.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use runpen::engine::{Engine, Spec};
use runpen::plan::{MIB, Sandbox};

use crate::harness::{engine, engine_with, finish, run_with, sandbox};

/// What a compile or a heavy runtime gets.
fn large() -> Sandbox {
    let mut sandbox = Sandbox::new(1024 * MIB, 2000);
    sandbox.pids = 256;
    sandbox.nofile = 1024;
    sandbox.code.exec = true;
    sandbox
}

async fn runs(image: &str, line: &str, expected: &str) {
    let engine = engine();
    // The suite installs them all; on another machine only what is there can run.
    if engine.image(image).await.unwrap().is_none() {
        assert!(std::env::var_os("RUNPEN_TEST_ENGINE").is_none(), "{image} has no toolchain here");
        return;
    }
    let outcome = run_with(&engine, large(), &["sh", "-c", line], b"").await;
    assert_eq!((outcome.exit.status, outcome.stdout.trim()), (0, expected), "{}", outcome.stderr);
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn python_runs() {
    runs("python:3.13-alpine", "python3 -c 'import ssl, sqlite3, ctypes; print(6 * 7)'", "42").await;
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn node_runs() {
    runs("node:22-alpine", "node -e 'console.log(6 * 7)'", "42").await;
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn cpp_compiles_and_runs() {
    let line = "printf '#include <iostream>\\nint main() { std::cout << 6 * 7; }' >a.cpp && g++ a.cpp -o a && ./a";
    runs("gcc:14", line, "42").await;
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn java_compiles_and_runs() {
    let line = "echo 'class A { public static void main(String[] a) { System.out.println(6 * 7); } }' >A.java && javac A.java && java A";
    runs("eclipse-temurin:21-jdk-alpine", line, "42").await;
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn go_compiles_and_runs() {
    let line = "export GOCACHE=/tmp/c GOPATH=/tmp/g GOFLAGS=-mod=mod GO111MODULE=auto CGO_ENABLED=0; \
                printf 'package main\\nfunc main() { println(6 * 7) }' >a.go && go build -o a a.go && ./a 2>&1";
    runs("golang:1.24-alpine", line, "42").await;
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_listed_home_gives_the_version_in_use_and_shows_nothing_else_of_itself() {
    // In the user's home and closed to all others, as a home may be.
    let home = tempfile::Builder::new()
        .prefix("runpen-test-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(std::env::var_os("HOME").unwrap())
        .unwrap();
    let pyenv = home.path().canonicalize().unwrap().join("pyenv");
    let chosen = pyenv.join("versions/9.9.9");
    for version in ["9.9.9", "3.1.4"] {
        let bin = pyenv.join("versions").join(version).join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("python3"), format!("#!/bin/sh\necho Python {version}\n")).unwrap();
        fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(pyenv.join("version"), "9.9.9\n").unwrap();
    fs::write(pyenv.join("secret"), "secret\n").unwrap();
    let engine = engine_with(std::slice::from_ref(&pyenv));

    let found = engine.image("python:3.13-alpine").await.unwrap().unwrap();
    assert_eq!(found.digest, format!("{} (Python 9.9.9)", chosen.join("bin/python3").display()));
    let line = format!(
        "python3; cd {}; ls -A . versions; for f in {} {}/new; do (echo x >>$f) 2>/dev/null && echo wrote $f; done; true",
        pyenv.display(),
        chosen.join("bin/python3").display(),
        pyenv.display()
    );
    let spec = Spec {
        image: "python:3".to_owned(),
        command: ["sh", "-c", &line].map(str::to_owned).into(),
        sandbox: sandbox(),
    };
    let outcome = finish(engine.start(&spec).await.unwrap(), b"").await;
    assert_eq!(outcome.ok(), "Python 9.9.9\n.:\nversions\n\nversions:\n9.9.9\n");

    // Another version is chosen while the server runs.
    fs::write(pyenv.join("version"), "3.1.4\n").unwrap();
    assert!(engine.image("python:3").await.unwrap().unwrap().digest.ends_with("(Python 3.1.4)"));
}

#[tokio::test]
#[ignore = "needs Linux namespaces: tests/run.sh embedded"]
async fn a_listed_folder_that_leads_elsewhere_shows_nothing() {
    let home = tempfile::tempdir_in(std::env::var_os("HOME").unwrap()).unwrap();
    for (name, target) in [("all", "/"), ("home", "/home"), ("etc", "/etc"), ("run", "/var/run")] {
        std::os::unix::fs::symlink(target, home.path().join(name)).unwrap();
        let engine = engine_with(&[home.path().join(name)]);
        let outcome =
            run_with(&engine, sandbox(), &["sh", "-c", "ls -d /home /run /etc/shadow 2>/dev/null; echo $PATH"], b"");
        assert_eq!(outcome.await.stdout, "/usr/local/bin:/usr/bin:/bin\n", "{target}");
    }
}
