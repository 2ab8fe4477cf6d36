#!/usr/bin/env bash
# Stories of images, with the real binary, a real engine, a real registry, and one that fails as it is told.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

build_runpen
python3 tests/stories/images.py "$RUNPEN_BINARY"
