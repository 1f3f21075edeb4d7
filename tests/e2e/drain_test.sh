#!/usr/bin/env bash
# The end of a daemon: TERM lets running jobs finish, refuses new ones, and ends with 0; what runs longer than
# drain_timeout is stopped; KILL takes the children along. Children wait on a pipe of the test's, so nothing depends on
# time.
source "$(dirname "$0")/harness.sh"

mkfifo "$scratch/gate"
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 2

[kind.gated]
pool = "programs"
exec = ["/bin/sh", "-c", "echo \$\$ > $scratch/child; read line < $scratch/gate; echo \$line > $scratch/finished"]
TOML
child_runs() { [[ -s $scratch/child ]]; }
child_gone() { [[ ! -e /proc/$(cat "$scratch/child") ]]; }
not_ready() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz") == 503 ]]; }

echo "---- a job that finishes in time"
start_daemon
check "a job waits behind the gate" millrace submit gated
await "it to run" child_runs
kill -TERM "$daemon"
await "the daemon to call itself not ready" not_ready
check "it is alive all the same" curl -fsS "http://$http/healthz"
refuses 3 "shutting down" millrace submit gated
check "the daemon still waits" daemon_runs
echo opened >"$scratch/gate"
await_end
check "it ended with 0" test "$daemon_rc" = 0
check "the job finished" grep -qx opened "$scratch/finished"
check "the log tells what was drained" has "$log" 'drain'

echo "---- a job that does not"
rm -f "$scratch/child" "$scratch/finished"
start_daemon --drain-timeout 200ms
check "a job waits behind the gate" millrace submit gated
await "it to run" child_runs
stop_daemon
check "the daemon did not wait for ever, and ended with 0" test "$daemon_rc" = 0
check "the child was stopped" child_gone
check "it did not finish" test ! -e "$scratch/finished"
check "the log tells that one was handed back" has "$log" '\b1 (released|handed back)'

echo "---- a second signal"
rm -f "$scratch/child"
start_daemon
check "a job waits behind the gate" millrace submit gated
await "it to run" child_runs
kill -TERM "$daemon"
await "the daemon to call itself not ready" not_ready
kill -TERM "$daemon"
await_end
check "ends it at once, with 1" test "$daemon_rc" = 1
await "the child to be gone" child_gone

echo "---- a second signal when the drain is over and the disk hangs"
start_daemon
# Whoever writes there waits until somebody reads.
mkfifo "$data_dir/pools.new"
millrace pools pause default >"$scratch/pause" 2>&1 &
pausing=$!
paused() { [[ $(millrace --json pools get default | jq -r .state) == PAUSED ]]; }
await "the pool to be paused" paused
grpc_is_closed() { ! (exec 3<>"/dev/tcp/${MILLRACE_ADDRESS%:*}/${MILLRACE_ADDRESS##*:}"); }
kill -TERM "$daemon"
await "the drain to be over" grpc_is_closed
check "the daemon waits for its disk" daemon_runs
kill -TERM "$daemon"
await_end
check "the second signal ends it at once, with 1" test "$daemon_rc" = 1
wait "$pausing" || true
rm "$data_dir/pools.new"

echo "---- a second signal when the start hangs"
# Its start reads this file, and waits until somebody writes.
mkfifo "$data_dir/pools"
: >"$log"
millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 \
  >"$log" 2>&1 </dev/null &
daemon=$!
await "the start" has "$log" 'configuration in effect'
kill -TERM "$daemon"
await "the first signal to be told" has "$log" 'SIGTERM: the daemon ends when its start is over'
kill -TERM "$daemon"
await_end
check "ends it at once, with 1" test "$daemon_rc" = 1
rm "$data_dir/pools"

echo "---- a signal while it starts"
mkfifo "$data_dir/pools"
: >"$log"
millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 \
  >"$log" 2>&1 </dev/null &
daemon=$!
await "the start" has "$log" 'configuration in effect'
kill -TERM "$daemon"
await "the signal to be told" has "$log" 'SIGTERM: the daemon ends when its start is over'
printf 'millrace pools 1\n' >"$data_dir/pools"
await_end
check "is heeded when the start is over: it drains and ends with 0" test "$daemon_rc" = 0
rm "$data_dir/pools"

echo "---- KILL"
rm -f "$scratch/child"
start_daemon
check "a job waits behind the gate" millrace submit gated
await "it to run" child_runs
kill -KILL "$daemon"
await_end
await "the child to die with the daemon" child_gone
finish
