#!/usr/bin/env bash
# Engines beside this machine's own: a second Docker over TLS and SSH with the link cut in the middle of a run, gVisor,
# Podman. What cannot start here is a failure with its reason, never skipped.
set -euo pipefail

# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh
# shellcheck source=tests/engines/lab.sh
source tests/engines/lab.sh

[[ $(id -u) == 0 ]] || fail "this suite makes network namespaces and daemons, so it must be started as root"
need podman:podman runsc:runsc sshd:openssh-server ssh:openssh-client openssl:openssl ip:iproute2 tc:iproute2 \
  nsenter:util-linux
build_runpen

lab_open
trap lab_close EXIT
lab_network
lab_certificates
lab_docker runpen-test/python:3.13 runpen-test/alpine:3.23
lab_bring runpen-test/node:20 runpen-test/gcc:14 runpen-test/java:21
lab_ssh
lab_podman
python3 tests/engines/stories.py "$RUNPEN_BINARY" "$lab"
