#!/usr/bin/env bash
# The same stories against the real engine, and programs that attack. Optimised, as times are part of what is checked.
set -euo pipefail

cargo build --locked --profile suite
cargo test --locked --profile suite --test sandbox -- --include-ignored
