#!/usr/bin/env bash
# The emulator of a terminal that editors are driven on. Prints the folder to import it from.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

python_package pyte 0.8.2 wcwidth==0.2.13
