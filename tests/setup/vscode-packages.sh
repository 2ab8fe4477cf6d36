#!/usr/bin/env bash
# What the VS Code extension is made and checked with, as its lock says. Prints the folder that has node_modules.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

source=editors/vscode
key=$(sha256sum "$source/package-lock.json" | cut -c1-12)
folder="$state/vscode/packages-$key"
if [[ ! -e $folder/complete ]]; then
  need npm:npm node:nodejs
  say "vscode: fetching what the extension is made with"
  mkdir -p "$state/vscode"
  rm -rf "$state"/vscode/packages-*
  mkdir "$folder"
  cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$folder"
  logged vscode-packages retry 3 npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund
  touch "$folder/complete"
fi
printf '%s\n' "$folder"
