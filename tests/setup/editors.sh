#!/usr/bin/env bash
# Real editors of a newer release than the machine may have, in a root file system of their own beside the checkout, since
# some exist only there. Prints the path of that root file system.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

release=trixie
revision=1
# lsp-mode and its libraries are files of Lisp, ALE is one of Vim script: no recommended packages are needed.
names=hx,kakoune,emacs-nox,elpa-lsp-mode,vim-nox,vim-ale,python3
kak_lsp_version=22.0.0

hash=$(printf '%s\n' "$release" "$revision" "$names" "$kak_lsp_version" | sha256sum | cut -c1-16)
root="$state/editors-$hash"
if [[ ! -e $root ]]; then
  need mmdebstrap:mmdebstrap
  [[ $(id -u) == 0 ]] || fail "making the editors' root file system takes root"
  [[ -n $(mirror) ]] || update_package_lists
  say "editors: fetching them from $release"
  # Those of another recipe are of no use any more.
  rm -rf "$state"/editors-*
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  write_apt_options >"$work/apt.conf"
  source=$(mirror)
  logged editors mmdebstrap --variant=essential --mode=root --format=directory "--include=$names" \
    --aptopt="$work/apt.conf" --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$release" "$root.new" ${source:+"$source"}
  # Kakoune's client of language servers is in no release of Debian.
  say "editors: building kak-lsp $kak_lsp_version"
  logged kak-lsp retry 3 env CARGO_TARGET_DIR="$work/kak-lsp" \
    cargo install --quiet --locked --debug --version "$kak_lsp_version" --root "$root.new/usr/local" kak-lsp
  mv "$root.new" "$root"
fi
printf '%s\n' "$root"
