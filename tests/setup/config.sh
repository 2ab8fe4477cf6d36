#!/usr/bin/env bash
# The configurations that map each language to its test image. Prints the path of the first one.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

# Languages and images alternate.
languages=(
  python runpen-test/python:3.13
  javascript runpen-test/node:20
  java runpen-test/java:21
  cpp runpen-test/gcc:14
  go runpen-test/golang:1.24
)

# usage: write FILE SHELL_IMAGE
write() {
  local file="$state/$1" text
  text=$(
    echo "# Written by tests/setup/config.sh: the test images in place of the official ones."
    printf '\n[languages.%s]\nimage = "%s"\n' "${languages[@]}" shell "$2"
  )
  # Only when it changed, and whole or not at all: a server that watches the file must not see it touched or cut.
  if [[ $text != "$(cat "$file" 2>/dev/null)" ]]; then
    printf '%s\n' "$text" >"$file.new"
    mv "$file.new" "$file"
    say "config: wrote $file"
  fi
}

write config.toml runpen-test/shell:13
write config-alpine.toml runpen-test/alpine:3.23
printf '%s\n' "$state/config.toml"
