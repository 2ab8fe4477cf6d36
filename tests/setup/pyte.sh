#!/usr/bin/env bash
# The emulator of a terminal that editors are driven on. Prints the folder to import it from.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

version=0.8.2
folder="$state/pyte-$version"
if [[ ! -e $folder/pyte ]]; then
  need pip3:python3-pip
  say "pyte: fetching $version"
  rm -rf "$folder.new"
  logged pyte retry 3 pip3 install --no-deps --target "$folder.new" "pyte==$version" "wcwidth==0.2.13"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
fi
printf '%s\n' "$folder"
