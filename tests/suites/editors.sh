#!/usr/bin/env bash
# Editors without a plugin, driven through standard LSP alone, and the client of the protocol's document.
# RUNPEN_BINARY names another server than the one that is built here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

need emacs:emacs-nox python3:python3
# Part of Emacs 29; a package before.
if ! emacs --batch --eval '(require (quote eglot))' >/dev/null 2>&1; then
  need runpen-no-such-command:elpa-eglot
fi

build_runpen
folder=$(dirname "$RUNPEN_BINARY")
export RUNPEN_CONFIG="${RUNPEN_CONFIG:-$state/config.toml}"
export PATH="$folder:$PATH"

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
passed=0
failed=0
story() {
  local name="$1"
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    echo "FAIL $name"
    failed=$((failed + 1))
  fi
}

story "the client in Python" python3 tests/editors/python/client_test.py editors/PROTOCOL.md "$folder"
# The whole configuration of a user is what the document says, nothing else.
story "Emacs with Eglot" env HOME="$home" RUNPEN_TEST_README="$PWD/editors/emacs/README.md" \
  emacs --batch -l tests/editors/emacs/eglot_test.el -f ert-run-tests-batch-and-exit
echo "$passed passed, $failed failed"
((failed == 0))
