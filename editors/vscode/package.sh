#!/usr/bin/env bash
# Packages the extension.
#
#   package.sh OUT.vsix                        without the program: it is found on PATH, or by runpen.server.path
#   package.sh OUT.vsix linux-x64 BINARY       with it, for one system (the targets of vsce)
#
# Takes rsvg-convert, and node_modules from `npm ci` beside package.json, or where NODE_MODULES says.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "error: $1" >&2
  exit 2
}

(($# == 1 || $# == 3)) || fail "usage: package.sh OUT.vsix [TARGET BINARY]"
out=$(realpath "$1")
modules=$(realpath "${NODE_MODULES:-$here/node_modules}")
[[ -d $modules/esbuild ]] || fail "no esbuild in $modules: run npm ci"
command -v rsvg-convert >/dev/null || fail "rsvg-convert is not installed (Debian: librsvg2-bin)"

# Elsewhere, so that nothing that is made lies among the sources.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$here/src" "$here/media" "$here"/{package.json,README.md,CHANGELOG.md,.vscodeignore} "$work"
[[ ! -d $here/images ]] || cp -R "$here/images" "$work"
ln -s "$modules" "$work/node_modules"
{
  printf 'Runpen is under the MIT licence or the Apache licence 2.0, as you like.\n\n'
  cat "$here/../../LICENSE-MIT"
  printf '\n\n'
  cat "$here/../../LICENSE-APACHE"
} >"$work/LICENSE"
arguments=()
if (($# == 3)); then
  [[ -f $3 ]] || fail "no such program: $3"
  mkdir "$work/server"
  name=runpen
  [[ $2 != win32-* ]] || name=runpen.exe
  install -m 755 "$3" "$work/server/$name"
  arguments=(--target "$2")
fi

cd "$work"
mkdir dist
rsvg-convert --width 256 --height 256 media/icon.svg --output dist/icon.png
node_modules/.bin/esbuild src/extension.ts --bundle --minify --platform=node --format=cjs --target=node20 \
  --external:vscode --log-level=warning --outfile=dist/extension.cjs
node node_modules/@vscode/vsce/vsce package --no-dependencies --allow-missing-repository --no-rewrite-relative-links "${arguments[@]}" --out "$out"
