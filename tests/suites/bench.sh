#!/usr/bin/env bash
# Speed, as far as it holds on any machine: generous ratios within one run. tests/bench/run.sh shows the numbers.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

need python3:python3
build_runpen
python3 tests/bench/check.py "$RUNPEN_BINARY"
