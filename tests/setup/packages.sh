#!/usr/bin/env bash
# The Debian packages that the other steps and the unit suite use.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

need curl:curl mmdebstrap:mmdebstrap qemu-img:qemu-utils mount:mount pip3:python3-pip \
  docker-registry:docker-registry shellcheck:shellcheck

# An engine that answers is used as it is, whoever made it; no second one is put beside it.
if ! timeout 10 docker version >/dev/null 2>&1; then
  need docker:docker.io dockerd:docker.io containerd:containerd runc:runc iptables:iptables
fi
say "packages: all there"
