#!/usr/bin/env bash
# What needs no engine: the scripts, formatting, lints, documentation, and every test that plain `cargo test` runs.
set -euo pipefail

find tests .ci -name '*.sh' -print0 | xargs -0 shellcheck -x .ci/run
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
# No engine and no configuration of a test machine, as on a laptop without Docker: these tests have to pass there too.
env -u RUNPEN_TEST_ENGINE -u RUNPEN_CONFIG DOCKER_HOST="unix://$RUNPEN_TEST_STATE/no-engine.sock" \
  cargo test --locked
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
