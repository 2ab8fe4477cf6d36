#!/usr/bin/env bash
# Code blocks of documents: `runpen check`, `runpen run --block` and the editor's commands, the same on each engine.
set -euo pipefail

# What the embedded engine runs: this machine's own.
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh
need python3:python3 node:nodejs go:golang-go g++:g++

build_runpen
status=0
for engine in docker embedded; do
  echo "documents: $engine"
  python3 tests/stories/documents.py "$RUNPEN_BINARY" "$engine" || status=1
done
exit "$status"
