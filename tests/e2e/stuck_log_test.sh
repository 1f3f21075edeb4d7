#!/usr/bin/env bash
# stderr is a pipe that nobody reads any more: the daemon works on, is not ready from TERM on, drains and ends with 0.
# That the log tells how many lines were lost when somebody reads again is tested in base/log_queue_test.cc.
source "$(dirname "$0")/harness.sh"

write_config <<'TOML'
TOML
mkfifo "$scratch/pipe"
cat "$scratch/pipe" >"$log" &
reader=$!
clean_up_more() { kill -KILL "$reader" 2>/dev/null || true; }

millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 \
  2>"$scratch/pipe" </dev/null &
daemon=$!
await "the daemon to be ready" daemon_is_ready

kill -STOP "$reader"
# Until it is full; dd tells so by its exit code.
dd if=/dev/zero of="$scratch/pipe" bs=4096 count=100 oflag=nonblock status=none 2>/dev/null &&
  give_up "the pipe holds 400 KiB"
for _ in 1 2 3; do kill -HUP "$daemon"; done
check "a job runs" millrace submit sha256 --payload hello --wait
check "the daemon is alive" curl -fsS "http://$http/healthz"
id=$(millrace submit sleep --payload 1h)
await "a job to run" is "$id" RUNNING
not_ready() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz") == 503 ]]; }
kill -TERM "$daemon"
await "the daemon to call itself not ready" not_ready
check "cancel" millrace jobs cancel "$id"
await_end
check "it drained and ended with 0, though nobody read" test "$daemon_rc" = 0
finish
