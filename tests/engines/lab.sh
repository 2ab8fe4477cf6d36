# shellcheck shell=bash
# Other engines beside this machine's own, for the suites `engines` and `attacks`: a second dockerd in a network namespace of
# its own, reached over TLS and SSH, with gVisor among its runtimes; Podman as root; and Podman and Docker of an ordinary
# user. Sourced as root.
#
# Everything lies in $lab, and goes with lab_close. The daemon that this machine has already is left alone.
#
# Sourced after tests/setup/common.sh, which sets $state.
# shellcheck disable=SC2154

lab_namespace=runpen-far
# Both ends of the wire; the near one is what a story takes down.
lab_near=runpen-near0
lab_far=runpen-far0
lab_address=10.213.7.2
lab_pids=()

lab_open() {
  lab=$(mktemp -d /var/tmp/runpen-engines.XXXXXX)
  export lab lab_namespace lab_near lab_far lab_address
  chmod 755 "$lab"
}

# Ends what the lab has started, by the ids it noted, and removes what they left.
lab_close() {
  local pid
  # A story may have started the second daemon anew.
  [[ ! -e $lab/far/started ]] || lab_pids+=("$(cat "$lab/far/started")")
  for pid in "${lab_pids[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${lab_pids[@]}"; do
    timeout 30 tail --pid "$pid" -f /dev/null || kill -9 "$pid" 2>/dev/null || true
  done
  ip link del "$lab_near" 2>/dev/null || true
  ip netns del "$lab_namespace" 2>/dev/null || true
  # What a container or an image had mounted when its daemon ended.
  awk -v lab="$lab/" 'index($2, lab) == 1 { print $2 }' /proc/mounts | sort -r | while read -r point; do
    umount -l "$point" || true
  done
  rm -rf "$lab"
}

lab_inside() {
  # Not `ip netns exec`: that would hide the cgroups, which lie under /sys.
  nsenter --net="/run/netns/$lab_namespace" "$@"
}

lab_network() {
  ip link del "$lab_near" 2>/dev/null || true
  ip netns del "$lab_namespace" 2>/dev/null || true
  ip netns add "$lab_namespace"
  ip link add "$lab_near" type veth peer name "$lab_far" netns "$lab_namespace"
  ip addr add 10.213.7.1/30 dev "$lab_near"
  ip link set "$lab_near" up
  lab_inside ip addr add "$lab_address/30" dev "$lab_far"
  lab_inside ip link set "$lab_far" up
  lab_inside ip link set lo up
}

# A certificate authority, a server and a client of it, and a stranger that it did not sign.
lab_certificates() {
  local who
  mkdir -p "$lab/tls/client" "$lab/tls/stranger"
  for who in ca stranger; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=runpen-test-$who" \
      -keyout "$lab/tls/$who-key.pem" -out "$lab/tls/$who.pem" 2>/dev/null
  done
  for who in server client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$who" \
      -keyout "$lab/tls/$who-key.pem" -out "$lab/tls/$who.csr" 2>/dev/null
    openssl x509 -req -in "$lab/tls/$who.csr" -CA "$lab/tls/ca.pem" -CAkey "$lab/tls/ca-key.pem" -CAcreateserial \
      -days 2 -out "$lab/tls/$who-cert.pem" -extfile <(
        if [[ $who == server ]]; then echo "subjectAltName=IP:$lab_address,IP:127.0.0.1"; else echo "extendedKeyUsage=clientAuth"; fi
      ) 2>/dev/null
  done
  for who in client stranger; do
    cp "$lab/tls/client-cert.pem" "$lab/tls/$who/cert.pem"
    cp "$lab/tls/client-key.pem" "$lab/tls/$who/key.pem"
  done
  cp "$lab/tls/ca.pem" "$lab/tls/client/ca.pem"
  cp "$lab/tls/stranger.pem" "$lab/tls/stranger/ca.pem"
}

# The second daemon. Stories restart it, so how it is started is a script of its own.
lab_docker() {
  mkdir -p "$lab/far"
  cat >"$lab/far/daemon.json" <<JSON
{"runtimes": {"runsc": {"path": "$(command -v runsc)", "runtimeArgs": ["--platform=ptrace", "--network=none"]}}}
JSON
  cat >"$lab/far/start" <<SCRIPT
#!/bin/sh
rm -f $lab/far/pid
exec nsenter --net=/run/netns/$lab_namespace dockerd --config-file $lab/far/daemon.json \
  -H unix://$lab/far/docker.sock -H tcp://$lab_address:2376 --tlsverify --tlscacert $lab/tls/ca.pem \
  --tlscert $lab/tls/server-cert.pem --tlskey $lab/tls/server-key.pem --data-root $lab/far/data \
  --exec-root $lab/far/exec --pidfile $lab/far/pid --bridge none --iptables=false --cgroup-parent /runpen-far
SCRIPT
  chmod 755 "$lab/far/start"
  local pid
  pid=$(start_detached engines-dockerd "$lab/far/start")
  lab_pids+=("$pid")
  echo "$pid" >"$lab/far/started"
  wait_until 60 "$pid" docker -H "unix://$lab/far/docker.sock" version || lab_fail engines-dockerd
  docker save -o "$lab/images.tar" "$@"
  docker -H "unix://$lab/far/docker.sock" load -q -i "$lab/images.tar" >/dev/null
}

# Brings more images to the second daemon.
# usage: lab_bring IMAGE...
lab_bring() {
  docker save "$@" | docker -H "unix://$lab/far/docker.sock" load -q >/dev/null
}

# sshd at the far end, and an `ssh` before the real one whose only addition is a configuration: the user's own is not ours
# to write to.
lab_ssh() {
  mkdir -p "$lab/ssh" "$lab/bin" /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$lab/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$lab/ssh/user"
  cp "$lab/ssh/user.pub" "$lab/ssh/authorized"
  cat >"$lab/ssh/sshd_config" <<CONFIG
ListenAddress $lab_address:2222
HostKey $lab/ssh/host
AuthorizedKeysFile $lab/ssh/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
CONFIG
  printf '[%s]:2222 %s\n' "$lab_address" "$(cat "$lab/ssh/host.pub")" >"$lab/ssh/known"
  cat >"$lab/ssh/config" <<CONFIG
Host big
  HostName $lab_address
  Port 2222
  User root
  IdentityFile $lab/ssh/user
  IdentitiesOnly yes
  UserKnownHostsFile $lab/ssh/known
  StrictHostKeyChecking yes
CONFIG
  printf '#!/bin/sh\nexec %s -F %s/ssh/config "$@"\n' "$(command -v ssh)" "$lab" >"$lab/bin/ssh"
  chmod 755 "$lab/bin/ssh"
  local pid
  pid=$(start_detached engines-sshd nsenter --net="/run/netns/$lab_namespace" /usr/sbin/sshd -D -e -f "$lab/ssh/sshd_config")
  lab_pids+=("$pid")
  wait_until 30 "$pid" "$lab/bin/ssh" -o BatchMode=yes big true || lab_fail engines-sshd
}

# Podman takes no registry without TLS unless it is told to, on loopback either.
lab_registries() {
  printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$registry_address" >"$lab/registries.conf"
  export CONTAINERS_REGISTRIES_CONF="$lab/registries.conf"
}

# Not with `--log-level debug`: its monitors would then start a clean-up that fails without a syslog, and every wait for the
# end of a container takes 20 seconds.
lab_podman() {
  local pid
  mkdir -p "$lab/podman"
  lab_registries
  # Its monitor notes a lack of memory as a file in the folder that it was started in.
  pid=$(cd "$lab" && start_detached engines-podman podman --root "$lab/podman/root" --runroot "$lab/podman/run" --runtime runc \
    --cgroup-manager cgroupfs system service --time 0 "unix://$lab/podman.sock")
  lab_pids+=("$pid")
  wait_until 60 "$pid" docker -H "unix://$lab/podman.sock" version || lab_fail engines-podman
  docker -H "unix://$lab/podman.sock" load -q -i "$lab/images.tar" >/dev/null
}

lab_user=runpen-test

# The ordinary user: with ids for a user namespace, and a runtime folder as a login would have it.
lab_ordinary_user() {
  local file
  id "$lab_user" >/dev/null 2>&1 || useradd --no-create-home --shell /usr/sbin/nologin "$lab_user"
  for file in /etc/subuid /etc/subgid; do
    grep -q "^$lab_user:" "$file" 2>/dev/null || echo "$lab_user:100000:65536" >>"$file"
  done
  mkdir -p "$lab/user/home" "$lab/user/run" "$lab/user/data"
  chown -R "$lab_user:" "$lab/user"
  chmod 700 "$lab/user/run"
}

# usage: lab_as_user COMMAND [ARGS...]
lab_as_user() {
  cd "$lab/user" || return
  exec setpriv --reuid "$lab_user" --regid "$(id -g "$lab_user")" --init-groups env -i "PATH=/usr/sbin:/sbin:$PATH" \
    "HOME=$lab/user/home" "XDG_RUNTIME_DIR=$lab/user/run" "XDG_DATA_HOME=$lab/user/data" \
    "CONTAINERS_REGISTRIES_CONF=$lab/registries.conf" "$@"
}

lab_podman_of_user() {
  local pid
  lab_registries
  export -f lab_as_user
  export lab_user
  # shellcheck disable=SC2016 # expanded by the other shell
  pid=$(start_detached engines-podman-user bash -c 'lab_as_user "$@"' - podman --runtime runc --cgroup-manager cgroupfs \
    system service --time 0 "unix://$lab/user/run/podman.sock")
  lab_pids+=("$pid")
  wait_until 60 "$pid" docker -H "unix://$lab/user/run/podman.sock" version || lab_fail engines-podman-user
  docker -H "unix://$lab/user/run/podman.sock" load -q -i "$lab/images.tar" >/dev/null
}

# What `dockerd-rootless.sh` does, which Debian leaves out. The network is the machine's own, for the registry on loopback.
lab_docker_of_user() {
  local pid docker="$lab/user/docker"
  mkdir -p "$docker"
  chown "$lab_user:" "$docker"
  export -f lab_as_user
  export lab_user
  # shellcheck disable=SC2016 # expanded by the other shell
  pid=$(start_detached engines-docker-user bash -c 'lab_as_user "$@"' - rootlesskit --net=host --copy-up=/etc --copy-up=/run \
    --propagation=rslave --state-dir "$lab/user/run/rootlesskit" sh -c \
    'rm -f /run/docker /run/containerd /run/xtables.lock; exec dockerd --rootless "$@"' - \
    --host "unix://$lab/user/run/docker.sock" --data-root "$docker/data" --exec-root "$lab/user/run/docker" \
    --pidfile "$lab/user/run/docker.pid" --bridge none --iptables=false --ip6tables=false)
  lab_pids+=("$pid")
  wait_until 60 "$pid" docker -H "unix://$lab/user/run/docker.sock" version || lab_fail engines-docker-user
  docker -H "unix://$lab/user/run/docker.sock" load -q -i "$lab/images.tar" >/dev/null
}

lab_fail() {
  tail -n 30 "$state/log/$1.log" >&2
  fail "$1 does not answer; the whole of its log is $state/log/$1.log"
}
