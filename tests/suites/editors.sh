#!/usr/bin/env bash
# Editors without a plugin, driven through standard LSP alone, and the client of the protocol's document.
# RUNPEN_BINARY names another server than the one that is built here; arguments choose editors (Helix, Kakoune, Vim, Eglot,
# LspMode).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

need python3:python3 bwrap:bubblewrap setsid:util-linux
RUNPEN_TEST_EDITORS=$(tests/setup/editors.sh)
pyte=$(tests/setup/pyte.sh)
export RUNPEN_TEST_EDITORS PYTHONDONTWRITEBYTECODE=1

build_runpen
RUNPEN_BINARY=$(realpath "$RUNPEN_BINARY")
export RUNPEN_CONFIG="${RUNPEN_CONFIG:-$state/config.toml}"

passed=0
failed=0
# Each script tells its stories, and says last how many went well.
tells=$(mktemp)
trap 'rm -f "$tells"' EXIT
tell() {
  local words
  "$@" 2>&1 | tee "$tells" || true
  words=$(tail -n 1 "$tells")
  [[ $words =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || words="0 passed, 1 failed"
  passed=$((passed + ${words%% *}))
  words=${words#*, }
  failed=$((failed + ${words%% *}))
}

tell python3 tests/editors/python/client_test.py editors/PROTOCOL.md "$(dirname "$RUNPEN_BINARY")"
tell env PYTHONPATH="$pyte" python3 tests/editors/standard/stories.py "$@"
echo "$passed passed, $failed failed"
((failed == 0))
