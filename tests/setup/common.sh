# shellcheck shell=bash
# What every set-up script shares: where state lives, how a step is said, how a slow thing is waited for.
#
# Sourced, never run. It must not know any one concern (Docker, images, the registry).

# Downloads, logs and the generated configuration. Outside the checkout, so that a clean checkout finds them again.
state="${RUNPEN_TEST_STATE:-${XDG_CACHE_HOME:-$HOME/.cache}/runpen-tests}"
mkdir -p "$state/log"
state=$(cd "$state" && pwd)

# Loopback only, which Docker takes without TLS. Port 5000 would meet the service of the Debian package.
# shellcheck disable=SC2034 # used by those who source this file
registry_address="${RUNPEN_TEST_REGISTRY:-127.0.0.1:5055}"

# One line for each thing done, on stderr: stdout's last line is the answer of --setup-only.
say() {
  printf '==> %s\n' "$*" >&2
}

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Runs a command with its output in a log, and shows the log's end only when the command fails.
# usage: logged NAME COMMAND [ARGS...]
logged() {
  local log="$state/log/$1.log"
  shift
  if ! "$@" </dev/null >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail "'$1' failed, the whole output is in $log"
  fi
}

# Starts a process that outlives this script and holds none of its files: a daemon that kept our stdout or our lock
# open would keep a caller waiting for ever, and block the next set-up. Prints its pid.
# usage: start_detached NAME COMMAND [ARGS...]
start_detached() {
  local log="$state/log/$1.log"
  shift
  # setsid forks only when it is already a group leader, which a background job of a script is not: $! is the daemon.
  setsid "$@" </dev/null >"$log" 2>&1 9>&- &
  echo "$!"
}

# Waits until a command succeeds. Gives up after SECONDS, or as soon as the process PID is gone.
# usage: wait_until SECONDS PID COMMAND [ARGS...]
wait_until() {
  local deadline=$((SECONDS + $1)) pid="$2"
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)) || ! kill -0 "$pid" 2>/dev/null; then
      return 1
    fi
    sleep 0.2
  done
}

# Fetches the package lists, at most once an hour: the steps of one set-up share them.
update_package_lists() {
  [[ -z $(find "$state/package-lists-updated" -mmin -60 2>/dev/null) ]] || return 0
  say "packages: fetching the package lists"
  logged apt-update retry 3 apt-get update
  touch "$state/package-lists-updated"
}

# Runs a command up to N times: apt does not wait for another apt that holds the lock of the lists.
retry() {
  local tries="$1"
  shift
  until "$@"; do
    ((--tries > 0)) || return 1
    sleep 5
  done
}

# On a machine with a service manager a package may start its service: that must not inherit the lock of run.sh.
install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >&2 9>&-
}

# The mirror that this machine's own apt uses; nothing on a machine without one, where mmdebstrap knows its default.
mirror() {
  command -v apt-get >/dev/null || return 0
  # shellcheck disable=SC2016 # the $(...) are apt's
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" { print $2; exit }'
}

# How this machine's own apt was told to fetch (proxies, certificates, a clock that is off) holds inside the images too.
write_apt_options() {
  apt-config dump --format '%F "%v";%n' 2>/dev/null |
    grep -E '^Acquire::(Check-(Date|Valid-Until)|Retries|https?::(Proxy|CaInfo|Verify-[A-Za-z]+)[A-Za-z0-9:.-]*) ' || true
}

# Installs the Debian packages of those commands that are missing. A command that is there counts, wherever it came
# from, so a machine with its own Docker or pip keeps it.
# usage: need COMMAND:PACKAGE...
need() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair#*:}")
  done
  if ((${#packages[@]} == 0)); then
    return 0
  fi
  command -v apt-get >/dev/null || fail "missing, and no apt-get to install them with: ${packages[*]}"
  [[ $(id -u) == 0 ]] || fail "missing, and installing takes root: apt-get install ${packages[*]}"
  update_package_lists
  say "packages: installing ${packages[*]}"
  install_packages "${packages[@]}" 2>/dev/null || {
    # A dpkg that was interrupted refuses everything until it has caught up. Not done first: it fails on a lock that
    # another installation holds, where apt waits.
    logged dpkg-configure dpkg --configure -a
    logged "apt-install-${packages[0]}" install_packages "${packages[@]}"
  }
}

# Fetches a package of Python's once, with what is named beside it, and prints the folder to import it from.
# usage: python_package NAME VERSION [PACKAGE==VERSION...]
python_package() {
  local name="$1" version="$2" folder="$state/$1-$2"
  shift 2
  if [[ ! -e $folder ]]; then
    need pip3:python3-pip
    say "$name: fetching $version"
    rm -rf "$folder.new"
    logged "$name" retry 3 pip3 install --no-deps --target "$folder.new" "$name==$version" "$@"
    mv "$folder.new" "$folder"
  fi
  printf '%s\n' "$folder"
}

# Where cargo puts what it builds.
target_folder() {
  echo "${CARGO_TARGET_DIR:-$PWD/target}"
}

# Builds the server for a suite that runs the real binary, and leaves its path in RUNPEN_BINARY. One that is set names
# another server to test.
build_runpen() {
  if [[ -z ${RUNPEN_BINARY:-} ]]; then
    cargo build --locked --quiet --profile suite --bin runpen
    RUNPEN_BINARY="$(target_folder)/suite/runpen"
  fi
  export RUNPEN_BINARY
}

# The label that holds the hash of what an image of ours was made from.
# shellcheck disable=SC2034 # used by those who source this file
recipe_label=runpen-test.recipe

# Prints `name:tag recipe` for each image of ours that Docker has.
images_present() {
  local ids
  ids=$(docker images --quiet --filter "label=$recipe_label")
  # shellcheck disable=SC2086 # a list of ids
  [[ -z $ids ]] || docker image inspect --format \
    "{{\$recipe := index .Config.Labels \"$recipe_label\"}}{{range .RepoTags}}{{println . \$recipe}}{{end}}" $ids
}
