#!/usr/bin/env bash
# Results that no message holds, by a real worker, of a daemon with a store: they come whole to whoever asks, whatever
# dies, and the memory of the daemon does not grow with them.
source "$(dirname "$0")/harness.sh"

[[ -x $bin/gated_worker ]] || give_up "$bin/gated_worker is not built"
write_config <<TOML
[jobs]
result_bytes_max = "48MiB"
finished_bytes_max = "2GiB" # Else the first would be forgotten.

[pool.remote]
runner = "remote"
TOML
: >"$scratch/starts"
worker=''
clean_up_more() { [[ -z $worker ]] || kill -KILL "$worker" 2>/dev/null || true; }

bytes=$((40 << 20))
jobs=16
expected=$(head -c "$bytes" /dev/zero | tr '\0' x | sha256sum)
whole() { [[ $(millrace jobs get "$1" --result | sha256sum) == "$expected" ]]; }
resident_mib() { awk -v what="$1:" '$1 == what { print int($2 / 1024) }' "/proc/$daemon/status"; }

start_daemon --store rocksdb
gated_worker "$MILLRACE_ADDRESS" "$scratch" 2 >>"$scratch/worker.log" 2>&1 </dev/null &
worker=$!

echo "---- one"
millrace run large --payload "$bytes" >"$scratch/result"
check "run prints all of it" test "$(sha256sum <"$scratch/result")" = "$expected"
first=$(millrace --json jobs list | jq -r '.id')
check "jobs get prints it" whole "$first"
check "a list names its size only" test "$(millrace --json jobs list | jq -r '.resultBytes')" = "$bytes"

refuses 1 'result_bytes_max' millrace run large --payload $((50 << 20))

echo "---- $jobs of them, $((jobs * bytes >> 20)) MiB in all"
check "all succeed" millrace submit large --payload "$bytes" --count "$jobs" --wait
peak=$(resident_mib VmHWM)
echo "        the daemon had $peak MiB at most, and has $(resident_mib VmRSS) MiB"
check "it never held them all" test "$peak" -lt $((jobs * bytes >> 20))
check "calls hold none of them any more" test "$(metric millrace_grpc_call_bytes)" -lt 1000000

echo "---- the daemon is killed while results are written"
submitted=()
for ((i = 0; i < 6; ++i)); do submitted+=("$(millrace submit large --payload "$bytes")"); done
runs_one() { [[ $(metric 'millrace_jobs{state="running"}') != 0 ]]; }
await "one to run" runs_one
address=$MILLRACE_ADDRESS
kill_daemon
# At the same address again: workers know no other.
: >"$log"
millraced --config "$config" --data-dir "$data_dir" --grpc-address "$address" --http-address 127.0.0.1:0 \
  --store rocksdb >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be ready again" daemon_is_ready
all_ended() {
  local id
  for id in "${submitted[@]}"; do is "$id" SUCCEEDED || return 1; done
}
await "all to end" all_ended
all_whole() {
  local id
  for id in "${submitted[@]}"; do whole "$id" || return 1; done
}
check "each is whole" all_whole

echo "---- the daemon is killed while nothing happens"
kill_daemon
start_daemon --store rocksdb
check "the result is still there" whole "$first"
check "and it took no memory to start" test "$(resident_mib VmHWM)" -lt 300
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
check "the store is sound" millrace admin verify "$data_dir"
finish
