# The waiting side of a run, evaluated by the image's own POSIX sh (dash, BusyBox, bash). It comes over standard input, so
# nothing of it is on a command line that the program could read. Runpen puts the assignments of N, K, T, CMD and OUT before it:
#   N  nonce of the trailer        K  10,240-byte records of the tar that follow on standard input
#   T  seconds after which everything in here is killed, should nobody outside be left to do it; 0 where it dies with them
# Only what comes before the program is run may fork freely: after it there may be no process left to fork.
cd /runpen && exec 5>&1 6>&2 || exit 125

# The trailer goes to both streams, so that all before it on either has come. The program may have left the pipe full and
# non-blocking; the trailer is shorter than PIPE_BUF, so it goes whole or not at all, and is tried again.
say() {
  for fd in 5 6; do
    i=0
    until printf '\036%s %s\036' "$N" "$*" >&"$fd" || [ $i -ge 100 ]; do
      i=$((i + 1))
      sleep 0.05
    done
  done
} 2>/dev/null

# CPU time in nanoseconds, peak memory in bytes, processes killed for memory; from cgroup v2, else v1.
measure() {
  C='' M='' O=''
  g=/sys/fs/cgroup
  if [ -r $g/cpu.stat ]; then
    while read -r k v; do [ "$k" = usage_usec ] && C=${v}000 && break; done <$g/cpu.stat
    read -r M <$g/memory.peak
    while read -r k v; do [ "$k" = oom_kill ] && O=$v; done <$g/memory.events
  elif [ -r $g/cpuacct/cpuacct.usage ]; then
    read -r C <$g/cpuacct/cpuacct.usage
    read -r M <$g/memory/memory.max_usage_in_bytes
    while read -r k v; do [ "$k" = oom_kill ] && O=$v; done <$g/memory/memory.oom_control
  fi
} 2>/dev/null

# An interpreter that starts ahead takes its own tar.
if [ "$K" != 0 ] && ! dd bs=10240 count="$K" iflag=fullblock 2>/dev/null | tar xf -; then
  say failed unpack
  exit 125
fi
measure
B=$C
if [ "$T" = 0 ]; then
  :
elif [ "$K" != 0 ]; then
  (sleep "$T" && kill -9 -1) </dev/null >/dev/null 2>&1 5>&- 6>&- &
else
  # Its time counts from when its program has come, looked for once a minute.
  (while sleep 60; do set -- *; [ -e "$1" ] && sleep "$T" && kill -9 -1; done) </dev/null >/dev/null 2>&1 5>&- 6>&- &
fi

# The shell reports a fatal signal on its own standard error, which the program does not share: that is how 139 from
# exit(139) and 139 from SIGSEGV are told apart. dash does so only when its standard error is redirected by `exec`; bash
# never does in a substitution, so there the number alone must do.
if [ "$OUT" ]; then
  W=$(exec 2>&1; (exec CMD >&6 2>&6 5>&- 6>&-); echo "x$?")
else
  W=$(exec 2>&1; (exec CMD >&5 2>&6 5>&- 6>&-); echo "x$?")
fi
E=${W##*x}
[ "$E" ] || E=137
W=${W%x*}
[ "$BASH_VERSION" ] && [ "$E" -gt 128 ] && W=bash
measure
if [ "$OUT" ] && [ "$E" = 0 ]; then
  if ! eval "tar cf - $OUT" >&5 2>&6; then
    say failed collect
    exit 125
  fi
fi
say "done $E ${W:+signal} B=$B C=$C M=$M O=$O"
exit "$E"
