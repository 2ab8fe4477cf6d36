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
  typescript runpen-test/deno:2.9
  c runpen-test/gcc:14
  bash runpen-test/shell:13
  awk runpen-test/scripts:13
  elixir runpen-test/scripts:13
  erlang runpen-test/scripts:13
  lua runpen-test/scripts:13
  perl runpen-test/scripts:13
  php runpen-test/scripts:13
  prolog runpen-test/scripts:13
  ruby runpen-test/scripts:13
  sql runpen-test/scripts:13
  d runpen-test/native:13
  fortran runpen-test/native:13
  rust runpen-test/native:13
  haskell runpen-test/functional:13
  ocaml runpen-test/functional:13
  r runpen-test/r:4.5
  csharp runpen-test/mono:6.12
  nim runpen-test/nim:1.6
  zig runpen-test/zig:0.15
  kotlin runpen-test/kotlin:2.4
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
