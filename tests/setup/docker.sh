#!/usr/bin/env bash
# A Docker daemon that answers on the default socket.
#
# An engine that is already there (a developer's own, Docker Desktop) is used as it is. Without one, Debian's is
# started by hand, as a test machine has no service manager that would do it, and its processes do not survive
# from one CI run to the next.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

# Asks the daemon, not the client: `docker version` succeeds only when both answer.
answers() {
  timeout 10 docker version --format '{{.Server.Version}}'
}

if version=$(answers 2>/dev/null); then
  say "docker: already running ($version)"
  exit 0
fi

[[ -z ${DOCKER_HOST:-} ]] || fail "nothing answers at DOCKER_HOST=$DOCKER_HOST; unset it to have a daemon started here"
[[ $(id -u) == 0 ]] || fail "no Docker engine answers, and starting one takes root"
command -v dockerd >/dev/null || fail "dockerd is not installed: tests/setup/packages.sh has to come first"

# A killed daemon leaves its pid file, and dockerd refuses to start when a process with that number exists, whatever
# it is. The file goes only when the number is not a dockerd, so that a daemon that is slow to answer stays.
for pid_file in /var/run/docker.pid /run/docker/containerd/containerd.pid; do
  if [[ -e $pid_file ]]; then
    name=$(cat "/proc/$(cat "$pid_file")/comm" 2>/dev/null || true)
    [[ $name == dockerd || $name == containerd ]] || rm -f "$pid_file"
  fi
done

if [[ -e /var/run/docker.pid ]]; then
  pid=$(cat /var/run/docker.pid)
  say "docker: waiting for the daemon that is already starting (pid $pid)"
else
  say "docker: starting dockerd, log in $state/log/dockerd.log"
  pid=$(start_detached dockerd dockerd)
fi
if ! wait_until 60 "$pid" answers; then
  tail -n 30 "$state/log/dockerd.log" >&2 || true
  fail "dockerd does not answer, its log is $state/log/dockerd.log"
fi
say "docker: running ($(answers))"
