//! The machine's own toolchains run inside.

use runpen::engine::Engine;
use runpen::plan::{MIB, Sandbox};

use crate::harness::{engine, run_with};

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
