#!/usr/bin/env bash
# A full pool slows the stream that fills it, from end to end, and memory stays flat: while the pool is paused, during
# the run, and with what is remembered of it afterwards. 20,000 jobs of 16 KiB, 320 MB with as much again in results, go
# through a daemon that may keep a hundredth of it.
source "$(dirname "$0")/harness.sh"

write_config <<TOML
[jobs]
finished_bytes_max = "4MiB"

[pool.default]
workers = 4
capacity = 16
TOML
start_daemon

peak_mb() { awk '/^VmHWM:/ { print int($2 / 1024) }' "/proc/$1/status"; }
queued() { metric 'millrace_pool_queue_jobs{pool="default",band="normal"}'; }
accepted() { metric 'millrace_jobs_submitted_total{pool="default",result="accepted"}'; }
payload=$scratch/payload
head -c 16384 /dev/zero | tr '\0' x >"$payload"

before=$(peak_mb "$daemon")
check "pause" millrace pools pause default
millrace submit echo --file "$payload" --count 20000 --window 512 >"$scratch/ids" 2>"$scratch/told" &
client=$!
pool_is_full() { [[ $(queued) == 16 && $(metric 'millrace_pool_waiting_submits{pool="default"}') -gt 0 ]]; }
await "the pool to be full and the next submit to wait" pool_is_full
check "what waits is bounded by the stream's window" test \
  "$(metric 'millrace_pool_waiting_submits{pool="default"}')" -le 512
check "no more was accepted than fits" test "$(accepted)" = 16

check "resume" millrace pools resume default
rc=0
wait "$client" || rc=$?
check "the client had an answer for each" test "$rc $(sort -u "$scratch/ids" | wc -l)" = "0 20000"
all_done() { [[ $(metric 'millrace_jobs_finished_total{pool="default",kind="echo",outcome="succeeded"}') == 20000 ]]; }
await "all of them to be done" all_done
grown=$(($(peak_mb "$daemon") - before))
check "the daemon grew by little ($grown MB), far from the 320 MB of them all" test "$grown" -lt 160
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
finish
