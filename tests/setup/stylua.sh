#!/usr/bin/env bash
# The formatter of Lua code, as the library that runs in Node: the package with the program fetches a binary from elsewhere.
# Prints the folder to require it from.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

version=2.5.2
folder="$state/stylua-$version"
if [[ ! -e $folder/node_modules ]]; then
  need npm:npm node:nodejs
  say "stylua: fetching $version"
  rm -rf "$folder.new"
  mkdir "$folder.new"
  logged stylua retry 3 npm install --prefix "$folder.new" --no-audit --no-fund "@johnnymorganz/stylua@$version"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
fi
printf '%s\n' "$folder"
