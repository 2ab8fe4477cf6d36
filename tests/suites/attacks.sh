#!/usr/bin/env bash
# The attack suite of tests/sandbox against the other engines: Podman as root, Podman and Docker of an ordinary user, and
# gVisor. What an engine does not give is a list in tests/sandbox/support.rs; it has to be named in the receipt, and all
# else has to hold.
#
# Podman gets the whole of it, the others the attacks whose controls differ by engine. RUNPEN_ATTACK_ALL=1 runs all on all.
set -euo pipefail

# shellcheck source=tests/setup/common.sh
source tests/setup/common.sh
# shellcheck source=tests/engines/lab.sh
source tests/engines/lab.sh

[[ $(id -u) == 0 ]] || fail "this suite makes users and daemons, so it must be started as root"
need podman:podman runsc:runsc openssl:openssl ip:iproute2 nsenter:util-linux setpriv:util-linux rootlesskit:rootlesskit \
  newuidmap:uidmap useradd:passwd
build_runpen
cargo test --locked --quiet --profile suite --test sandbox --no-run

# usage: attack KIND SOCKET THREADS [FILTERS...]
attack() {
  local kind="$1" socket="$2" threads="$3"
  shift 3
  [[ -z ${RUNPEN_ATTACK_ALL:-} ]] || set --
  say "attacks: $kind"
  RUNPEN_TEST_ENGINE_KIND="$kind" DOCKER_HOST="unix://$socket" RUNPEN_CACHE_DIR="$lab/cache" \
    cargo test --locked --quiet --profile suite --test sandbox -- --include-ignored --test-threads "$threads" "$@"
}

# With `strict = true` no program runs on an engine that lacks something, and the refusal names what.
# usage: refuses SOCKET CONTROL [SETTINGS]
refuses() {
  local answer code=0
  printf 'strict = true\n%s\n[languages.shell]\nimage = "runpen-test/alpine:3.23"\n' "${3:-}" >"$lab/strict.toml"
  answer=$(echo 'echo it ran' | DOCKER_HOST="unix://$1" RUNPEN_CONFIG="$lab/strict.toml" RUNPEN_CACHE_DIR="$lab/cache" \
    "$RUNPEN_BINARY" run --engine docker --lang shell - 2>&1) || code=$?
  [[ $code == 125 && $answer == *"$2"* && $answer != *"it ran"* ]] || {
    echo "not refused for $2: exit code $code, $answer" >&2
    return 1
  }
}

lab_open
trap lab_close EXIT
# The filter of system calls lies there, and Podman of another user reads it.
mkdir -p "$lab/cache"
lab_network
lab_certificates
lab_docker runpen-test/python:3.13 runpen-test/alpine:3.23 runpen-test/no-shell:1
lab_podman
lab_ordinary_user
lab_podman_of_user
lab_docker_of_user

controls=(enforced:: inside:: exhaust:: live::)
failed=()
refuses "$lab/podman.sock" "/tmp files" || failed+=("podman, strict")
refuses "$lab/user/run/podman.sock" "memory" || failed+=("podman-user, strict")
refuses "$lab/user/run/docker.sock" "memory" || failed+=("docker-rootless, strict")
refuses "$lab/far/docker.sock" "/tmp files" 'isolation = "gvisor"' || failed+=("gvisor, strict")
attack podman "$lab/podman.sock" 2 || failed+=(podman)
attack podman-user "$lab/user/run/podman.sock" 2 "${controls[@]}" || failed+=(podman-user)
attack docker-rootless "$lab/user/run/docker.sock" 2 "${controls[@]}" || failed+=(docker-rootless)
attack gvisor "$lab/far/docker.sock" 2 "${controls[@]}" || failed+=(gvisor)
((${#failed[@]} == 0)) || fail "attacks got through, or were not named, on: ${failed[*]}"
