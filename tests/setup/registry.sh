#!/usr/bin/env bash
# A real registry on loopback, with one image in it, for pulls that work and pulls that fail.
#
# What it serves is not the local runpen-test/alpine but a copy with a layer of its own that the engine does not
# keep: the first pull has something to fetch.
set -euo pipefail
# shellcheck source=tests/setup/common.sh
source "$(dirname "$0")/common.sh"

address=$registry_address
source_image=runpen-test/alpine:3.23
image="$address/runpen/alpine:3.23"

answers() {
  curl --fail --silent --show-error --noproxy '*' --max-time 5 "http://$address/v2/"
}

if [[ $(answers 2>/dev/null) == "{}" ]]; then
  say "registry: already running at $address"
else
  mkdir -p "$state/registry"
  cat >"$state/registry.yml" <<YAML
version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: $state/registry
  delete:
    enabled: true
http:
  addr: $address
YAML
  say "registry: starting at $address, log in $state/log/registry.log"
  pid=$(start_detached registry docker-registry serve "$state/registry.yml")
  if ! wait_until 30 "$pid" answers; then
    tail -n 30 "$state/log/registry.log" >&2
    fail "the registry does not answer at $address"
  fi
fi

# The tag that says which local image the copy was made from. It is pushed last: with it, everything is there.
made_from="from-$(docker image inspect --format '{{.Id}}' "$source_image" | cut -d: -f2 | cut -c1-16)"
if curl --fail --silent --noproxy '*' --max-time 10 --output /dev/null \
  "http://$address/v2/runpen/alpine/manifests/$made_from"; then
  say "registry: $image is there"
  exit 0
fi

say "registry: pushing $image"
container=$(docker create "$source_image" true)
trap 'docker rm --force "$container" >/dev/null' EXIT
mkdir -p "$state/tmp"
archive=$(mktemp "$state/tmp/registry.XXXXXX")
docker export --output "$archive" "$container"
logged registry-import docker import --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
  "$archive" "$image"
rm -f "$archive"
logged registry-push docker push "$image"
docker tag "$image" "$address/runpen/alpine:$made_from"
logged registry-push docker push "$address/runpen/alpine:$made_from"
docker rmi "$image" "$address/runpen/alpine:$made_from" >/dev/null
