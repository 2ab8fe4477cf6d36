#!/usr/bin/env bash
# The language server over its wire: in memory with the scripted engine, then the real binary with a real engine.
set -euo pipefail

cargo test --locked --test lsp
cargo build --locked
PYTHONPATH=$(tests/setup/prometheus.sh)
export PYTHONPATH
python3 tests/lsp/scripted.py "${CARGO_TARGET_DIR:-target}/debug/runpen"
