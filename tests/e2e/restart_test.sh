#!/usr/bin/env bash
# What was acknowledged survives kill -9 with the rocksdb store: results, queued, scheduled and running jobs, request
# ids. Losses are counted, and the third quarantines. A second daemon on the same folder and a store from the future are
# refused. Children wait on a pipe of the test's, so nothing depends on time.
source "$(dirname "$0")/harness.sh"

mkfifo "$scratch/gate"
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 1

[kind.gated]
pool = "programs"
exec = ["/bin/sh", "-c", "echo \$\$ >> $scratch/starts; read line < $scratch/gate; echo \$line"]
TOML
: >"$scratch/starts"
start() { start_daemon --store rocksdb "$@"; }
# The state of each job of a list of ids.
states() { xargs -I{} millrace --json jobs get {} <"$1" | jq -r .state; }
starts() { [[ $(wc -l <"$scratch/starts") == "$1" ]]; }

echo "---- life and death"
start
check "the log names the store" has "$log" 'store rocksdb \(ack fsync\)'
done_job=$(millrace submit sha256 --payload abc --request-id once --wait | awk '{ print $1 }')
check "a job has finished" is "$done_job" SUCCEEDED
job "$done_job" >"$scratch/before"
running=$(millrace submit gated --payload first)
await "it to run" starts 1
millrace submit gated --count 20 >"$scratch/queued"
later=$(millrace submit noop --delay 1h --label which=later)
failed=$(millrace submit fail --max-attempts 1)
await "it to fail" is "$failed" FAILED
kill_daemon

echo "---- after kill -9"
start
check "the log tells what was found" has "$log" 'found in the store: 21 queued or running, 1 scheduled, 2 finished'
job "$done_job" >"$scratch/after"
check "the finished job is what it was, result included" cmp "$scratch/before" "$scratch/after"
check "the scheduled one waits" is "$later" SCHEDULED
check "the failed one is a dead letter" is "$failed" FAILED
check "the same request is the same job" test "$(millrace submit sha256 --payload abc --request-id once)" = "$done_job"
refuses 8 "" millrace submit sha256 --payload other --request-id once
await "the lost attempt to be repeated" starts 2
check "its loss is counted" test "$(job "$running" | jq -r .losses)" = 1
check "no other was started" test \
  "$(states "$scratch/queued" | sort | uniq -c | awk '{ print $1, $2 }')" = "20 QUEUED"

echo "---- poison"
kill_daemon
start
await "the third attempt" starts 3
kill_daemon
start
await "the job to be quarantined" is "$running" QUARANTINED
check "three losses" test "$(job "$running" | jq -r .losses)" = 3
await "the next job to run" starts 4

echo "---- one folder, one daemon"
refuses 2 'used by another millraced' millraced --config "$config" --data-dir "$scratch/data" --store rocksdb \
  --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
check "the first one goes on" curl -fsS "http://$http/readyz"

echo "---- a disk without room"
# A limit on the size of files stands for the end of the disk.
not_ready() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz") == 503 ]]; }
millrace submit noop --count 50 >"$scratch/accepted"
prlimit --pid "$daemon" --fsize=2000:unlimited
refuses 3 "File too large" millrace submit noop
check "it calls itself not ready" not_ready
check "it is alive" curl -fsS "http://$http/healthz"
check "what is there can be looked at" is "$done_job" SUCCEEDED
prlimit --pid "$daemon" --fsize=unlimited:unlimited
await "it to be ready again" curl -fsS "http://$http/readyz"
check "submits are accepted" millrace submit noop
kill_daemon
start
noops() { millrace --json jobs list --kind noop --limit 0 | jq -s 'map(.jobs // [.]) | flatten | length'; }
# 50 and the last one; another was scheduled above.
check "every job that was acknowledged is there, and none that was refused" test "$(noops)" = 52

echo "---- an orderly end"
check "the pool takes no more" millrace pools pause programs
echo opened >"$scratch/gate"
first_queued=$(head -n 1 "$scratch/queued")
await "the running one to finish" is "$first_queued" SUCCEEDED
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
start --ack interval
check "the log names the mode" has "$log" 'ack interval'
check "the finished one is there" is "$first_queued" SUCCEEDED
check "the others are" test \
  "$(states <(tail -n +2 "$scratch/queued") | grep -cE 'QUEUED|RUNNING')" = 19
kill_daemon
finish
