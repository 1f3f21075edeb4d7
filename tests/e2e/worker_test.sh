#!/usr/bin/env bash
# Workers in other processes, real ones, that are killed, stopped and cut off from a daemon that is killed as well: no
# job is lost, none ends twice, and one runs twice only where its lease was lost. Attempts wait for files of the test's,
# so nothing depends on time but that a lease of three seconds passes.
source "$(dirname "$0")/harness.sh"

[[ -x $bin/gated_worker ]] || give_up "$bin/gated_worker is not built"
write_config <<TOML
[workers]
lease = "3s"
resume_grace = "1s"
finish_within = "1s"

[pool.remote]
runner = "remote"
TOML
: >"$scratch/starts"
: >"$scratch/stops"
workers=()
clean_up_more() {
  local each
  for each in "${workers[@]}"; do kill -KILL "$each" 2>/dev/null || true; done
}
start_worker() {  # SLOTS; sets $worker.
  gated_worker "$address" "$scratch" "$1" >>"$scratch/worker.log" 2>&1 </dev/null &
  worker=$!
  workers+=("$worker")
}
end_worker() {  # PID: with TERM; sets $worker_rc.
  kill -TERM "$1"
  worker_rc=0
  wait "$1" || worker_rc=$?
}
kill_worker() {
  kill -KILL "$1"
  wait "$1" 2>/dev/null || true
} 2>/dev/null
started_by() { grep -q "^$1 [0-9]* $2$" "$scratch/starts"; }
open_gate() { touch "$scratch/open-$1"; }
result_of() { job "$1" | jq -r '.result | @base64d'; }
says() { [[ $(job "$1" | jq -r ".$2") == "$3" ]]; }
metric() { curl -fsS "http://$http/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
metric_is() { [[ $(metric "$1") == "$2" ]]; }
start() { start_daemon --store rocksdb; }
restart() {  # The same address again: workers know no other.
  kill_daemon
  address_before=$MILLRACE_ADDRESS
  : >"$log"
  millraced --config "$config" --data-dir "$data_dir" --grpc-address "$address_before" --http-address 127.0.0.1:0 \
    --store rocksdb >"$log" 2>&1 </dev/null &
  daemon=$!
  await "the daemon to be ready again" daemon_is_ready
}

echo "---- a job waits for a worker"
start
address=$MILLRACE_ADDRESS
first=$(millrace submit gated --payload first)
check "nobody offers its kind, and it waits" is "$first" QUEUED
start_worker 1
a=$worker
await "it to run" started_by "$first" "$a"
check "it runs" is "$first" RUNNING
check "the worker is counted" metric_is millrace_remote_workers 1
slots() { millrace --json pools list | jq -r '.. | objects | select(.name? == "remote") | .workers'; }
check "the pool has a slot" test "$(slots)" = 1

echo "---- a worker is killed"
kill_worker "$a"
start_worker 1
b=$worker
await "another worker to run it" started_by "$first" "$b"
open_gate first
await "it to end" is "$first" SUCCEEDED
check "by the second one's word" test "$(result_of "$first")" = "$b"
check "one loss, which is no attempt" says "$first" losses 1
check "one attempt counts" says "$first" attempts 1

echo "---- a worker stands still for longer than its lease, and goes on"
second=$(millrace submit gated --payload second)
await "it to run" started_by "$second" "$b"
kill -STOP "$b"
start_worker 1
c=$worker
await "another worker to run it" started_by "$second" "$c"
kill -CONT "$b"
open_gate second
await "it to end" is "$second" SUCCEEDED
check "by the word of the one that has the lease" test "$(result_of "$second")" = "$c"
await "the one that stood still to be back" metric_is millrace_remote_workers 2
end_worker "$b"
check "it ends in good order" test "$worker_rc" = 0

echo "---- the daemon is killed under a worker"
third=$(millrace submit gated --payload third)
await "it to run" started_by "$third" "$c"
restart
check "it runs on" is "$third" RUNNING
await "the worker to be back" metric_is millrace_remote_workers 1
open_gate third
await "it to end" is "$third" SUCCEEDED
check "it was started once" test "$(grep -c "^$third " "$scratch/starts")" = 1
check "nothing was lost" says "$third" losses 0

echo "---- its end is told to the next daemon"
fourth=$(millrace submit gated --payload fourth)
await "it to run" started_by "$fourth" "$c"
kill -STOP "$c"
open_gate fourth
kill_daemon
kill -CONT "$c"
daemon=''
: >"$log"
millraced --config "$config" --data-dir "$data_dir" --grpc-address "$address" --http-address 127.0.0.1:0 \
  --store rocksdb >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be ready again" daemon_is_ready
await "it to end" is "$fourth" SUCCEEDED
check "it was started once" test "$(grep -c "^$fourth " "$scratch/starts")" = 1

echo "---- a cancel"
fifth=$(millrace submit gated --payload fifth)
await "it to run" started_by "$fifth" "$c"
check "it is cancelled" millrace jobs cancel "$fifth"
await "its worker to hear of it" grep -q "^$fifth$" "$scratch/stops"
await "it to end" is "$fifth" CANCELLED

echo "---- many jobs, two workers, three deaths of the daemon"
start_worker 8
d=$worker
: >"$scratch/many"
for ((round = 0; round < 3; ++round)); do
  millrace submit quick --count 200 >>"$scratch/many"
  restart
done
ended() { [[ $(metric millrace_jobs\{state=\"succeeded\"\}) -ge 604 ]]; }
await "all of them to end" ended
check "none is lost" test "$(wc -l <"$scratch/many")" = 600
xargs -I{} millrace --json jobs get {} <"$scratch/many" | jq -r '.state + " " + (.losses | tostring)' | sort | uniq -c \
  >"$scratch/states"
check "each has succeeded" test "$(awk '$2 != "SUCCEEDED" { n += $1 } END { print n + 0 }' "$scratch/states")" = 0
# Lost: its worker was away for longer than its lease, or it was on its way to the worker when the daemon died.
losses=$(awk '{ n += $1 * $3 } END { print n + 0 }' "$scratch/states")
twice=$(grep -Ff "$scratch/many" "$scratch/starts" | awk '{ print $1 }' | sort | uniq -d | wc -l)
echo "        lost attempts: $losses, started twice: $twice"
check "none was started twice that was not lost" test "$twice" -le "$losses"

echo "---- the end"
end_worker "$c"
check "the first one ends in good order" test "$worker_rc" = 0
end_worker "$d"
check "and the second one" test "$worker_rc" = 0
await "no worker to be left" metric_is millrace_remote_workers 0
stop_daemon
check "the daemon ends in good order" test "$daemon_rc" = 0
finish
