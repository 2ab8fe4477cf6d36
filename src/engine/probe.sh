# Tries what the sandbox must refuse; one line a control: its name, a tab, what was seen. POSIX sh, no tool that BusyBox
# and coreutils do not both have. Nothing here sends a byte.
#
# It is told first whether the kernel is the machine's (`shared`) or the sandbox's own (`own`, gVisor), where what no program
# can get past shows differently, how many files to try to make, and whether memory is `bounded`: where it is not, nothing
# but the machine's own end would stop a program that takes it.
read -r kernel most memory_is
say() { printf '%s\t%s\n' "$1" "$2"; }
tried() { if command -v "$1" >/dev/null; then refused "$@"; else echo "untried: no $1 in the image"; fi; }
refused() { if "$@" >/dev/null 2>&1; then echo allowed; else echo refused; fi; }
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }

names=
while IFS=: read -r name rest; do
    case $name in *'|'*) ;; *) names="$names ${name##* }" ;; esac
done < /proc/net/dev
say "network interfaces" "${names# }"
routes=$(sed 1d /proc/net/route | wc -l)
[ "$((routes))" = 0 ] && say "network routes" none || say "network routes" "$((routes))"
flags=$(cat /sys/class/net/lo/flags 2>/dev/null)
case $flags in
'') grep -q '127\.0\.0\.1' /proc/net/fib_trie 2>/dev/null && say "loopback device" up || say "loopback device" unknown ;;
*) [ "$((flags & 1))" = 1 ] && say "loopback device" up || say "loopback device" down ;;
esac

set -- $(status Uid) - $(status Gid)
say "user" "$1:$6"
groups=
for group in $(status Groups); do [ "$group" = "$6" ] || groups="$groups $group"; done
say "supplementary groups" "${groups:-none}"
caps=$(sed -n 's/^Cap[A-Za-z]*:[[:space:]]*//p' /proc/self/status | tr -d '0\n')
say "capabilities" "${caps:-none}"
[ "$(status NoNewPrivs)" = 1 ] && say "new privileges" refused || say "new privileges" allowed
[ "$(status Seccomp)" = 2 ] && say "system-call filter" on || say "system-call filter" off
say "mounting" "$(tried mount -t tmpfs none /tmp)"
say "new namespaces" "$(tried unshare -U true)"

case $(sed -n 's#^[^ ]* / [^ ]* \([^ ]*\) .*#\1#p' /proc/mounts | tail -n 1) in
ro,* | ro) say "root file system" read-only ;;
*) say "root file system" writable ;;
esac
wrote=
for folder in / /bin /dev /etc /home /opt /proc /proc/sys /root /run /srv /sys /usr /usr/bin /var /var/lib; do
    if (: > "$folder/.runpen-probe") 2>/dev/null; then wrote="$wrote $folder"; rm -f "$folder/.runpen-probe"; fi
done
say "writing elsewhere" "${wrote:-refused}"
say "kernel settings" "$(refused sh -c 'echo runpen > /proc/sys/kernel/hostname')"
found=
for socket in /var/run/docker.sock /run/docker.sock /run/podman/podman.sock /run/containerd/containerd.sock; do
    [ -e "$socket" ] && found="$found $socket"
done
say "engine socket" "${found:-absent}"
others=
for folder in /proc/[0-9]*; do
    parent=$(sed -n 's/^PPid:[[:space:]]*//p' "$folder/status" 2>/dev/null)
    # The first process, and what this script has started.
    [ "${folder#/proc/}" = 1 ] || [ "$parent" = 1 ] || [ "$parent" = $$ ] || [ -z "$parent" ] || others="$others ${folder#/proc/}"
done
say "other processes" "${others:-unseen}"

for folder in /tmp /var/tmp /dev/shm /runpen; do
    printf '#!/bin/sh\nexit 0\n' > "$folder/program" && chmod 755 "$folder/program"
    say "$folder execution" "$(refused "$folder/program")"
    rm -f "$folder/program"
    cat /dev/zero > "$folder/fill" 2>/dev/null
    say "$folder bytes" "$(($(wc -c < "$folder/fill")))"
    rm -f "$folder/fill"
    count=0
    while [ "$count" -lt "$most" ] && (: > "$folder/$count") 2>/dev/null; do count=$((count + 1)); done
    say "$folder files" "$count"
    (cd "$folder" && ls -A | xargs rm -f)
done

first() { for file; do [ -r "$file" ] && { cat "$file"; return; }; done; }
cgroup=/sys/fs/cgroup
say "memory" "$(first $cgroup/memory.max $cgroup/memory/memory.limit_in_bytes)"
memory=$(first $cgroup/memory.max $cgroup/memory/memory.limit_in_bytes)
swap=$(first $cgroup/memory.swap.max $cgroup/memory/memory.memsw.limit_in_bytes)
# Version 2 counts swap alone, version 1 memory and swap together.
case $swap in 0 | "$memory") say "swap" off ;; '') say "swap" "not counted" ;; *) say "swap" "$swap" ;; esac
set -- $(first $cgroup/cpu.max)
[ $# = 2 ] || set -- $(first $cgroup/cpu/cpu.cfs_quota_us) $(first $cgroup/cpu/cpu.cfs_period_us)
case $1 in '' | max | -1) say "CPU" unlimited ;; *) say "CPU" "$(($1 * 1000 / $2)) thousandths of a core" ;; esac
say "open files" "$(ulimit -n)"
say "core files" "$(ulimit -c)"

# An own kernel counts these for itself, or ends with its only program.
[ "$kernel" = shared ] || exit 0
# In a shell of its own, which may die of it.
(i=0; while [ $i -lt 300 ]; do sleep 30 & i=$((i + 1)); echo $((i + 2)) > /tmp/processes; done) >/dev/null 2>&1
say "processes" "$(cat /tmp/processes)"
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" = 1 ] || kill -9 "$pid" 2>/dev/null
done
if [ "$memory_is" != bounded ]; then
    say "memory without end" "untried: it is not bounded"
    exit 0
fi
(text=0123456789abcdef; while :; do text=$text$text; done) >/dev/null 2>&1
[ $? -gt 128 ] && say "memory without end" killed || say "memory without end" "refused"
