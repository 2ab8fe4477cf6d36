#!/usr/bin/env bash
# Programs that tell of everything by which they could notice that their interpreter was up before they came.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

build_runpen
python3 tests/stories/waiting.py "$RUNPEN_BINARY" docker
