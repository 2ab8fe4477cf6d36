#!/usr/bin/env bash
# Prometheus's own reader of its text format. Prints the folder to import it from.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

version=0.21.1
folder="$state/prometheus-$version"
if [[ ! -e $folder/prometheus_client ]]; then
  need pip3:python3-pip
  say "prometheus: fetching $version"
  rm -rf "$folder.new"
  logged prometheus retry 3 pip3 install --no-deps --target "$folder.new" "prometheus_client==$version"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
fi
printf '%s\n' "$folder"
