#!/usr/bin/env bash
# The one test command: makes this machine fit to test on, then runs the suites.
#
#   tests/run.sh                 set-up, then every suite
#   tests/run.sh SUITE...        set-up, then these suites
#   tests/run.sh --setup-only    set-up and nothing else; the last line of stdout is the path of a runpen
#                                configuration that maps every language to its test image
#
# Set-up (tests/setup/, one script for each concern) installs what is missing, starts a Docker daemon where none
# answers, makes the language images, starts a registry on loopback, and writes the configurations. It takes some
# minutes on a fresh Debian machine, as root, and a second afterwards. An engine that already answers is used.
# Nothing is written into the checkout: downloads, logs and configurations lie in
# ${RUNPEN_TEST_STATE:-${XDG_CACHE_HOME:-~/.cache}/runpen-tests}.
#
# A suite is a script tests/suites/NAME.sh. It finds in its environment
#   RUNPEN_CONFIG          the configuration with the test images; config-alpine.toml beside it has shell on Alpine
#   RUNPEN_TEST_ENGINE=1   a test that needs an engine and finds none has to fail; without it, it may skip
#   RUNPEN_TEST_REGISTRY   the loopback registry, host:port; it serves runpen/alpine:3.23
#   RUNPEN_TEST_STATE      the folder above
# Every suite runs, even after one that failed. Exit code: 0 all passed, 1 a suite or the set-up failed, 2 wrong usage.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

# Quick and basic first: what fails early is also what explains the rest. Others follow by name.
preferred=(unit lsp sandbox embedded languages documents engines attacks neovim editors vscode bench)

known_suites() {
  local name script
  for name in "${preferred[@]}"; do
    [[ ! -e tests/suites/$name.sh ]] || echo "$name"
  done
  for script in tests/suites/*.sh; do
    name=$(basename "$script" .sh)
    [[ " ${preferred[*]} " == *" $name "* ]] || echo "$name"
  done
}
mapfile -t known < <(known_suites)

wrong_usage() {
  echo "error: $1" >&2
  exit 2
}

# Everything is checked before anything is installed or run.
setup_only=false
suites=()
for argument in "$@"; do
  case $argument in
    --setup-only) setup_only=true ;;
    -h | --help)
      sed -n '2,/^set -/{/^set -/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    -*) wrong_usage "unknown option '$argument' (known: --setup-only, --help)" ;;
    *)
      [[ " ${known[*]} " == *" $argument "* ]] || wrong_usage "unknown suite '$argument' (known: ${known[*]})"
      suites+=("$argument")
      ;;
  esac
done
if $setup_only && ((${#suites[@]} > 0)); then
  wrong_usage "--setup-only takes no suites"
fi
((${#suites[@]} > 0)) || suites=("${known[@]}")

# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh
export RUNPEN_TEST_STATE="$state"

# Two set-ups at once would undo each other's half-made images. The suites run outside of the lock.
exec 9>"$state/lock"
if ! flock --nonblock 9; then
  say "setup: waiting for another one that is running"
  flock 9
fi
# What an interrupted set-up left; nobody else works in there, as we hold the lock.
rm -rf "$state/tmp"
started=$SECONDS
for step in packages docker images alpine registry; do
  "tests/setup/$step.sh" || fail "set-up stopped at tests/setup/$step.sh"
done
config=$(tests/setup/config.sh)
exec 9>&-
say "setup: ready after $((SECONDS - started)) s"

if $setup_only; then
  echo "$config"
  exit 0
fi

export RUNPEN_CONFIG="$config" RUNPEN_TEST_ENGINE=1 RUNPEN_TEST_REGISTRY="$registry_address"
# A clean checkout would build everything anew; its own folder, where there is one, is the developer's choice.
[[ -d target ]] || export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$state/target}"
passed=0
failed=()
for suite in "${suites[@]}"; do
  say "$suite: begins"
  started=$SECONDS
  log="$state/log/suite-$suite.log"
  if bash "tests/suites/$suite.sh" </dev/null 2>&1 | tee "$log"; then
    say "$suite: passed in $((SECONDS - started)) s"
    passed=$((passed + 1))
  else
    say "$suite: FAILED after $((SECONDS - started)) s"
    failed+=("$suite")
  fi
done
# What failed is often far above: its last words once more, where they are looked for.
for suite in ${failed[@]+"${failed[@]}"}; do
  echo "== $suite failed; the whole of it is in $state/log/suite-$suite.log"
  grep -nE 'FAIL|panicked|[Ee]rror|Traceback|not ok|✖|✗' "$state/log/suite-$suite.log" | tail -n 20 | cut -c1-300 || true
  tail -n 40 "$state/log/suite-$suite.log" | cut -c1-300
done
((${#failed[@]} == 0)) || echo "failed suites: ${failed[*]}"
echo "suites: $passed passed, ${#failed[@]} failed"
((${#failed[@]} == 0))
