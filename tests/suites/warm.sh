#!/usr/bin/env bash
# Stories of what waits: servers killed, a daemon restarted, images exchanged, a disk full. They have a daemon of their own.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

build_runpen
python3 tests/stories/warm.py "$RUNPEN_BINARY"
