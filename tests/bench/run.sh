#!/usr/bin/env bash
# The benchmark: builds, makes the machine fit, prints one table. See bench.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${RUNPEN_CONFIG:=$(tests/run.sh --setup-only | tail -n 1)}"
export RUNPEN_CONFIG
cargo build --release --quiet
exec python3 tests/bench/bench.py target/release/runpen "$@"
