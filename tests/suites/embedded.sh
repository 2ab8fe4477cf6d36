#!/usr/bin/env bash
# The embedded engine against this machine's kernel, as root and as an ordinary user. It needs no Docker and no image. What
# it needs and cannot have is a failure, never skipped: it is the security of the product that is tested here.
set -euo pipefail

user=runpen-test
packages=(python3 nodejs g++ default-jdk-headless golang-go)

[[ $(id -u) == 0 ]] || {
  echo "error: this suite runs its tests as root and as the user $user, so it must be started as root" >&2
  exit 1
}

missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]} > 0)); then
  echo "embedded: installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi
id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"

cargo build --locked --profile suite --bin runpen
tests=$(cargo test --locked --profile suite --test embedded --no-run --message-format=json |
  sed -n 's/.*"executable":"\([^"]*\/embedded-[^"]*\)".*/\1/p' | tail -n 1)
target=$(dirname "$(dirname "$tests")")

# A folder that the other user can enter; a checkout may be in a home that they cannot.
copies=$(mktemp -d /var/tmp/runpen-embedded.XXXXXX)
trap 'rm -rf "$copies"' EXIT
chmod 755 "$copies"
install -m 755 "$tests" "$copies/tests"
install -m 755 "$target/runpen" "$copies/runpen"

# Speed by itself, so that nothing of ours disturbs it; the rest side by side.
run_tests() {
  local who=$1
  shift
  echo "embedded: as $who"
  (cd "$copies" && env RUNPEN_TEST_ENGINE=1 RUNPEN_TEST_BINARY="$copies/runpen" "$@" ./tests --include-ignored --skip speed::)
  (cd "$copies" && env RUNPEN_TEST_ENGINE=1 RUNPEN_TEST_BINARY="$copies/runpen" "$@" ./tests --include-ignored --nocapture --test-threads 1 speed::)
}
run_tests root
run_tests "$user" setpriv --reuid "$user" --regid "$user" --clear-groups --reset-env \
  env RUNPEN_TEST_ENGINE=1 RUNPEN_TEST_BINARY="$copies/runpen"
