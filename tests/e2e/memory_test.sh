#!/usr/bin/env bash
# A daemon under a limit of memory (a cgroup, v1 or v2, as a container has one): more heavy jobs than fit wait for their
# time, and it dies neither of them nor of a start beside them.
source "$(dirname "$0")/harness.sh"

limit=$((160 << 20))
jobs=20000 # With 8 KB of labels each: as much as the limit.

group=''
clean_up_more() {
  [[ -n $group ]] || return 0
  if [[ -n $daemon ]]; then
    kill -KILL "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=''
  fi
  rmdir "$group" || true
}

# The memory cgroup of this process, and what its limit and its peak are called there.
v1=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup) v2=$(sed -n 's/^0:://p' /proc/self/cgroup)
if [[ -n $v1 && -d /sys/fs/cgroup/memory$v1 ]]; then
  parent=/sys/fs/cgroup/memory${v1%/} limit_file=memory.limit_in_bytes peak_file=memory.max_usage_in_bytes
  kills() { awk '$1 == "oom_kill" { print $2 }' "$group/memory.oom_control"; }
else
  parent=/sys/fs/cgroup${v2%/} limit_file=memory.max peak_file=memory.peak
  kills() { awk '$1 == "oom_kill" { print $2 }' "$group/memory.events"; }
fi
mkdir "$parent/millrace-test-$$" 2>/dev/null || skip "this user may not make a cgroup in $parent"
group=$parent/millrace-test-$$
echo "$limit" 2>/dev/null >"$group/$limit_file" || skip "a cgroup in $parent has no limit of memory"

millraced() {
  echo "$BASHPID" >"$group/cgroup.procs"
  exec "$bin/millraced" "$@"
}

labels=()
for ((i = 10; i < 42; ++i)); do labels+=(--label "label-$i=$(printf 'x%.0s' {1..250})"); done

start_daemon
millrace submit echo --delay 1d "${labels[@]}" --count "$jobs" --on-full reject >"$out" 2>"$err" || true
kept=$(metric 'millrace_jobs{state="scheduled"}')
echo "        $kept of $jobs jobs were accepted; the peak is $(($(<"$group/$peak_file") >> 20)) MiB of $((limit >> 20))"
check "most of them are accepted" test "$kept" -ge $((jobs / 2))
check "the daemon runs" daemon_runs
for how in stop_daemon kill_daemon; do
  "$how"
  start_daemon
  echo "        after $how: $(awk '/VmRSS/ { print $2 " kB" }' "/proc/$daemon/status") resident"
  check "no job is lost: $how" test "$(metric 'millrace_jobs{state="scheduled"}')" = "$kept"
  check "it has room to work: $how" millrace submit echo --payload hello --wait
done
check "nothing was killed for want of memory" test "$(kills)" = 0
check "what waits can be cancelled" millrace jobs cancel --state scheduled --yes
check "and is gone" test "$(metric 'millrace_jobs{state="scheduled"}')" = 0
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
finish
