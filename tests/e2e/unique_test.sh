#!/usr/bin/env bash
# One job for one key: two submits with the same unique key make one job, also when the daemon is killed between them,
# until the job is out of its scope. Children wait on a pipe of the test's, so nothing depends on time.
source "$(dirname "$0")/harness.sh"

mkfifo "$scratch/gate"
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 1

[kind.gated]
pool = "programs"
exec = ["/bin/sh", "-c", "echo \$\$ >> $scratch/starts; read line < $scratch/gate; echo \$line"]

[kind.other]
pool = "programs"
exec = ["true"]
TOML
: >"$scratch/starts"
start() { start_daemon --store rocksdb; }
starts() { [[ $(wc -l <"$scratch/starts") == "$1" ]]; }
same() { [[ $1 == "$2" ]]; }
differ() { [[ $1 != "$2" ]]; }

echo "---- until it has ended"
start
report=$(millrace submit gated --payload one --unique-key report)
check "the second submit gets the first job" same "$(millrace submit gated --payload two --unique-key report)" "$report"
await "it to run" starts 1
check "also while it runs" same "$(millrace submit gated --unique-key report)" "$report"
millrace --json submit gated --unique-key report >"$scratch/json"
check "JSON says so" jq -e '.existing == true and .state == "RUNNING"' "$scratch/json"
refuses 8 "held by job $report" millrace submit gated --unique-key report --unique-reject
check "another kind has keys of its own" differ "$(millrace submit other --unique-key report)" "$report"
check "the job tells its key" jq -e \
  '.spec.uniqueKey == {"key": "report", "scope": "WHILE_UNFINISHED", "onTaken": "RETURN_EXISTING"}' \
  <(millrace --json jobs get "$report")

echo "---- after kill -9"
kill_daemon
start
check "a submit gets the job from before" same "$(millrace submit gated --unique-key report)" "$report"
refuses 8 "held by job $report" millrace submit gated --unique-key report --unique-reject
check "it is counted" same "$(metric 'millrace_jobs_submitted_total{pool="programs",result="existing"}')" 1
await "the attempt that was lost to be repeated" starts 2
echo go >"$scratch/gate"
await "it to end" is "$report" SUCCEEDED
next=$(millrace submit gated --unique-key report)
check "its end lets go of the key" differ "$next" "$report"

echo "---- until it starts"
await "the next one to run" starts 3
waiting=$(millrace submit gated --unique-key index --unique-scope queued)
kill_daemon
start
check "the job that waits has the key" same "$(millrace submit gated --unique-key index --unique-scope queued)" \
  "$waiting"
await "the next one to run again" starts 4
echo go >"$scratch/gate"
await "it to end" is "$next" SUCCEEDED
await "the one that waited to run" starts 5
behind=$(millrace submit gated --unique-key index --unique-scope queued)
check "its start lets go of the key" differ "$behind" "$waiting"
check "it is cancelled" millrace jobs cancel "$waiting"
await "its end" is "$waiting" CANCELLED
await "the last one to run" starts 6

echo "---- a retry whose key is taken"
holder=$(millrace submit gated --unique-key index --unique-scope queued)
refuses 8 "cannot be retried while job $holder holds" millrace jobs retry "$waiting"
check "it stays as it was" is "$waiting" CANCELLED
kill_daemon
finish
