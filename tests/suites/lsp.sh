#!/usr/bin/env bash
# The language server over its wire, with the scripted engine.
set -euo pipefail

cargo test --locked --test lsp
