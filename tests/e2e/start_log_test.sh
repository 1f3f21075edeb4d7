#!/usr/bin/env bash
# What a start writes to the log has a bound, however much is configured and however many jobs are found whose pool or
# kind is gone.
source "$(dirname "$0")/harness.sh"

write_config <<'TOML'
[pool.gone]
runner = "exec"
capacity = 100000
[pool.stays]
runner = "exec"
capacity = 100000
[kind.of-gone]
pool = "gone"
exec = ["true"]
[kind.lost]
pool = "stays"
exec = ["true"]
TOML
start_daemon
check "10,000 jobs wait for a pool" millrace submit of-gone --delay 1d --count 10000
check "and others of a kind" millrace submit lost --delay 1d --count 2000
check "which run when they have to" millrace pools pause stays
check "and some are queued" millrace submit lost --count 1000
stop_daemon

{
  printf '[pool.stays]\nrunner = "exec"\n'
  for pool in {1..100}; do
    printf '[pool.p-%s]\nrunner = "exec"\nworkers = 1\n' "$pool"
    for kind in {1..30}; do printf '[kind.k-%s-%s]\npool = "p-%s"\nexec = ["true"]\n' "$pool" "$kind" "$pool"; done
  done
} | write_config
start_daemon
check "all of them are kept" test "$(metric 'millrace_jobs{state="scheduled"}')" = 12000
check "the log names the pool that is gone" \
  has "$log" "pool 'gone' is not configured any more: its 10000 unfinished jobs"
check "and says that pools were left out" has "$log" 'and [0-9]+ more pools'
check "the jobs of the kind that is gone end" millrace pools resume stays
ended() { [[ $(metric 'millrace_jobs{state="queued"}') == 0 ]]; }
await "the queued jobs of a kind that is gone to be looked at" ended
lines=$(wc -l <"$log") bytes=$(wc -c <"$log")
echo "        the log has $lines lines, $bytes bytes"
check "few lines beside 13,000 jobs" test "$lines" -lt 2000
check "few bytes" test "$bytes" -lt 100000
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
finish
