#!/usr/bin/env bash
# A daemon whose disk fails: an fsync that fails, a disk that is really full, one that is read-only, a log that is
# damaged under it. No submit is acknowledged that is not kept, running work is kept, health and metrics tell, and what
# is safe to resume resumes by itself. The disk is a file system in memory, in a mount namespace of the test's own.
if [[ -z ${MILLRACE_OWN_MOUNTS:-} ]]; then
  if ! unshare -rm true 2>/dev/null; then
    echo "failing_disk_test: skipped, this system forbids mount namespaces (unshare -rm)"
    exit 77
  fi
  MILLRACE_OWN_MOUNTS=1 exec unshare -rm "$0"
fi
source "$(dirname "$0")/harness.sh"

mkdir "$scratch/data"
mount -t tmpfs -o size=24m millrace-test "$scratch/data" || skip "a tmpfs cannot be mounted here"
clean_up_more() { umount -l "$scratch/data"; }
faults=$scratch/faults
mkfifo "$scratch/gate"
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 1

[kind.gated]
pool = "programs"
exec = ["/bin/sh", "-c", "echo started > $scratch/started; read line < $scratch/gate; echo \$line"]
TOML
# A name without spaces, at which LD_PRELOAD ends a path.
ln -s "$bin/libfailing_disk.so" "$scratch/failing_disk.so"
start() { start_daemon --store rocksdb; }
start_to_fail() {
  export MILLRACE_FAILING_DISK=$scratch/data/store MILLRACE_FAULTS=$faults LD_PRELOAD=$scratch/failing_disk.so
  start
  unset LD_PRELOAD MILLRACE_FAILING_DISK MILLRACE_FAULTS
}
# grpc.health.v1 of the whole server: an empty request, and field 1 of the answer.
health() {
  printf '\0\0\0\0\0' | curl -s --http2-prior-knowledge -H 'content-type: application/grpc' -H 'te: trailers' \
    --data-binary @- "http://$MILLRACE_ADDRESS/grpc.health.v1.Health/Check" | od -An -tx1 | tr -d ' \n'
}
serving() { [[ $(health) == 00000000020801 ]]; }
not_serving() { [[ $(health) == 00000000020802 ]]; }
ready() { curl -fsS "http://$http/readyz"; }
ready_says() { curl -s "http://$http/readyz" | grep -q "$1"; }
counted() {
  local value
  value=$(metric "$1")
  [[ -n $value ]] && ((value > 0))
}
failing() { [[ $(metric millrace_store_failing) == "$1" ]]; }
known() { millrace --json jobs list --kind noop --limit 0 | jq -s 'map(.jobs // [.]) | flatten | length'; }

echo "---- an fsync that fails"
start_to_fail
check "it serves" serving
running=$(millrace submit gated)
await "it to run" test -s "$scratch/started"
check "ten jobs" millrace submit noop --count 10 --wait
echo "sync 5" >"$faults"
refuses 3 "$scratch/data/store .*dmesg" millrace submit noop
check "gRPC health says so" not_serving
check "/readyz says so" ready_says "the disk fails"
check "the status page says so" curl -fsS "http://$http/"
check "in these words" has "$out" 'the store fails'
check "the process is alive" curl -fsS "http://$http/healthz"
check "the metric says so" failing 1
check "the failed fsync is counted" counted 'millrace_store_errors_total{op="sync"}'
await "it to try again" counted 'millrace_store_errors_total{op="open"}'
echo opened >"$scratch/gate"
check "the end of the running job is not told before it is kept" is "$running" RUNNING
refuses 3 "" millrace submit noop
rm "$faults"
await "it to be ready again" ready
check "it serves again" serving
check "the metric says so" failing 0
await "the running job to have ended" is "$running" SUCCEEDED
check "a submit is accepted" millrace submit noop --wait
check "the fsyncs were timed" counted millrace_store_fsync_seconds_count
kill_daemon
start
check "after kill -9 all that was acknowledged is there, and nothing else" test "$(known)" = 11
check "the job that ended meanwhile, too" is "$running" SUCCEEDED

echo "---- a disk that is full"
payload=$(head -c 60000 /dev/zero | tr '\0' x)
fill() { ! cat /dev/zero >"$scratch/data/ballast" 2>"$scratch/told"; }
accepted=11
check "something else takes the room" fill
for ((i = 0; i < 1000; ++i)); do
  millrace submit noop --payload "$payload" >"$out" 2>"$scratch/refusal" || break
  accepted=$((accepted + 1))
done
check "a submit was refused" has "$scratch/refusal" 'make room'
check "in the name of the folder" has "$scratch/refusal" "$scratch/data/store"
check "gRPC health says so" not_serving
check "the jobs can be looked at" is "$running" SUCCEEDED
rm "$scratch/data/ballast"
await "it to be ready again" ready
check "it serves again" serving
check "a submit is accepted" millrace submit noop
accepted=$((accepted + 1))
kill_daemon
check "the disk is full once more" fill
refuses 2 'No space left|full' millraced --config "$config" --data-dir "$scratch/data" --store rocksdb \
  --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
rm "$scratch/data/ballast"
start
check "every job that was acknowledged is there, and nothing else" test "$(known)" = "$accepted"
stop_daemon

echo "---- a disk that is read-only"
mount -o remount,ro "$scratch/data"
refuses 2 "$scratch/data .*[Rr]ead-only" millraced --config "$config" --data-dir "$scratch/data" --store rocksdb \
  --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
mount -o remount,rw "$scratch/data"

echo "---- a log that is damaged under a running daemon"
start_to_fail
check "forty jobs" millrace submit noop --count 40 --wait
wal=$(find "$scratch/data/store" -name '*.log' | sort | tail -n 1)
printf 'garbage' | dd of="$wal" bs=1 seek=$(($(stat -c %s "$wal") / 2)) conv=notrunc status=none
echo "sync 5" >"$faults"
# What is written after a job has ended may have met the fault before, and the damage may be known.
refused() { ! millrace submit noop; }
check "a submit is refused" refused
rm "$faults"
await "it to find the damage" ready_says "is damaged"
check "gRPC health says so" not_serving
refuses 10 "is damaged" millrace submit noop
check "it says that it stays closed" has "$log" 'until a restart'
stop_daemon
refuses 2 "$(basename "$wal") does not check out" millraced --config "$config" --data-dir "$scratch/data" \
  --store rocksdb \
  --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
finish
