#!/usr/bin/env bash
# The stories of `runpen run` for every language, the same for each engine.
set -euo pipefail

# What the embedded engine runs: this machine's own.
# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh
need python3:python3 node:nodejs g++:g++ javac:default-jdk-headless go:golang-go

build_runpen
status=0
for engine in docker embedded; do
  echo "languages: $engine"
  python3 tests/stories/cli.py "$RUNPEN_BINARY" "$engine" || status=1
done
echo "languages: docker, every other language"
python3 tests/stories/languages.py "$RUNPEN_BINARY" || status=1
echo "languages: docker, programs that others wrote"
python3 tests/stories/programs.py "$RUNPEN_BINARY" "$(tests/setup/programs.sh)" || status=1
echo "languages: docker, shell on Alpine"
RUNPEN_CONFIG=$(dirname "$RUNPEN_CONFIG")/config-alpine.toml
for only in "every language" "sleeper"; do
  python3 tests/stories/cli.py "$RUNPEN_BINARY" docker --only "$only" || status=1
done
exit "$status"
