#!/usr/bin/env bash
# The same stories against the real engine, and programs that attack. In release, as times are part of what is checked.
set -euo pipefail

cargo build --locked --release
cargo test --locked --release --test sandbox -- --include-ignored
