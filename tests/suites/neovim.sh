#!/usr/bin/env bash
# The Neovim plugin in a real Neovim with a real screen, against the real server and engine. RUNPEN_BINARY names another
# server than the one that is built here; arguments choose stories by a Lua pattern.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

plugin="$PWD/editors/neovim"
need luacheck:lua-check node:nodejs npm:npm python3:python3
nvim=$(tests/setup/neovim.sh)
stylua=$(tests/setup/stylua.sh)

mapfile -t sources < <(find "$plugin" tests/editors/neovim -name '*.lua' | sort)
node tests/editors/neovim/format.cjs "$stylua" "$plugin" "${sources[@]}"
luacheck --quiet --config "$plugin/.luacheckrc" "${sources[@]}"
# Tags that are there twice, and references to what is not there.
"$nvim" --clean --headless -l tests/editors/neovim/help.lua "$plugin/doc"

build_runpen
export RUNPEN_CONFIG="${RUNPEN_CONFIG:-$state/config.toml}"
export RUNPEN_TEST_PLUGIN="$plugin"
RUNPEN_TEST_WORK=$(mktemp -d)
export RUNPEN_TEST_WORK
trap 'rm -rf "$RUNPEN_TEST_WORK"' EXIT

# How long a key press takes to its result; the stories close the suite.
quick=true
if [[ -z ${1:-} ]]; then
  python3 tests/editors/neovim/latency.py "$nvim" "$plugin" 20 || quick=false
fi
"$nvim" --clean --headless -l tests/editors/neovim/run.lua "${1:-}"
$quick || fail "a key press takes too long to its result"
