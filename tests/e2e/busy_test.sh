#!/usr/bin/env bash
# Two processors and far more jobs than that which compute without an end: whoever asks the daemon is answered, another
# pool gets its share, timeouts hold, and TERM ends it within its drain timeout. A daemon whose calls and timers wait in
# line with the jobs needs many minutes for this; the limits only tell the two apart.
source "$(dirname "$0")/harness.sh"

write_config <<TOML
[pool.default]
workers = 512
capacity = 20000

[pool.quick]
workers = 2
TOML
export MILLRACE_PROCS=2
start_daemon --drain-timeout 2s

# so_many N COMMAND...: N times, one after the other, within a limit for all.
so_many() {
  local until=$((SECONDS + 60)) count=$1
  shift
  for ((i = 0; i < count; ++i)); do
    "$@" || return 1
    ((SECONDS < until)) || return 1
  done
}
# Every one of them waits for a processor, or runs.
all_run() { [[ $(metric 'millrace_pool_workers_busy{pool="default"}') == 512 ]]; }

check "ten thousand jobs are taken" millrace submit spin --payload 1h --count 10000
first=$(head -n 1 "$out")
await "all workers to have one" all_run
check "calls for one job are answered" so_many 20 millrace jobs get "$first"
check "calls for many jobs are answered" so_many 5 millrace jobs list --limit 100
check "jobs of another pool run" so_many 20 millrace run noop --pool quick --timeout 50s
last=$(millrace jobs list --state queued --limit 1 --json | jq -r .id)
check "a queued job is cancelled" millrace jobs cancel "$last"
check "so is a running one" millrace jobs cancel "$first"
await "it to have ended" is "$first" CANCELLED
short=$(millrace submit spin --payload 1h --run-timeout 100ms --max-attempts 1 --pool quick)
await "the timeout of a job to hold" is "$short" FAILED
stop_daemon
check "TERM ended the daemon, with 0" test "$daemon_rc" = 0
check "and the running jobs were handed back" has "$log" 'drained: .*51[0-9] handed back'
finish
