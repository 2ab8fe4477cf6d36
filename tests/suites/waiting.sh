#!/usr/bin/env bash
# Programs that tell of everything by which they could notice that their interpreter was up before they came, or that what
# they include was compiled before.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

# What the embedded engine runs: this machine's own.
need python3:python3 node:nodejs ruby:ruby
build_runpen
status=0
for engine in docker embedded; do
  python3 tests/stories/waiting.py "$RUNPEN_BINARY" "$engine" || status=1
done
python3 tests/stories/baked.py "$RUNPEN_BINARY" || status=1
exit "$status"
