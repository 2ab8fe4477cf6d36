#!/usr/bin/env bash
# Prometheus's own reader of its text format. Prints the folder to import it from.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

python_package prometheus_client 0.21.1
