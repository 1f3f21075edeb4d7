#!/usr/bin/env bash
# A daemon that runs out of descriptors, or of connections: it says so, and serves again when there are some.
source "$(dirname "$0")/harness.sh"

readyz() { curl -sS --max-time 5 -o "$scratch/readyz" -w '%{http_code}' "http://$http/readyz"; }
is_ready() { [[ $(readyz) == 200 ]]; }
is_not_ready() { [[ $(readyz) == 503 ]]; }

# hold COUNT: that many connections to the gRPC port, until its stdin ends; says "held".
hold() {
  python3 - "$MILLRACE_ADDRESS" "$1" <<'PYTHON'
import socket, sys, time, os
host, port = sys.argv[1].rsplit(":", 1)
held = []
for _ in range(int(sys.argv[2])):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((host, int(port)))
    held.append(s)
print("held", flush=True)
while os.path.exists(os.environ["HOLD"]):
    time.sleep(0.05)
PYTHON
}

# flood WHAT COUNT: the daemon meets more connections than it can have, says so, and serves when they are gone.
flood() {
  export HOLD=$scratch/hold
  touch "$HOLD"
  hold "$2" &
  local holder=$!
  await "/readyz to say that $1" is_not_ready
  check "it says why: $1" has "$scratch/readyz" 'connections'
  rm "$HOLD"
  wait "$holder"
  check "a new client is served after $1" timeout 20 millrace pools list
  await "/readyz to be well after $1" is_ready
}

for limit in 80 256; do
  echo "---- $limit descriptors"
  : >"$log"
  rm -rf "$data_dir"
  (
    ulimit -n "$limit"
    exec millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
  ) >"$log" 2>&1 </dev/null &
  daemon=$!
  await "the daemon to be ready" daemon_is_ready
  check "jobs run" millrace submit echo --payload hello --wait
  flood "there are 400 connections of $limit descriptors" 400
  check "jobs run afterwards" millrace submit echo --payload hello --wait
  stop_daemon
  check "it ended with 0" test "$daemon_rc" = 0
done

echo "---- the limit is raised for the daemon and not for its programs"
write_config <<TOML
[server]
connections_max = 3
[pool.programs]
runner = "exec"
[kind.limit]
pool = "programs"
exec = ["sh", "-c", "ulimit -Sn"]
TOML
before=$(ulimit -Sn) hard=$(ulimit -Hn)
ulimit -Sn 200
start_daemon
ulimit -Sn "$before"
check "the daemon has the hard limit" grep -qE "^Max open files +$hard +$hard " "/proc/$daemon/limits"
check "its programs have the soft one" bash -c "[[ \$(millrace run limit) == 200 ]]"

stop_daemon

echo "---- programs take all descriptors but the last"
write_config <<'TOML'
[pool.programs]
runner = "exec"
workers = 200
capacity = 400
[kind.wait]
pool = "programs"
exec = ["sleep", "300"]
TOML
(
  ulimit -n 256
  exec millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
) >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be ready" daemon_is_ready
millrace submit wait --count 200 >"$scratch/ids"
refused() { (($(metric 'millrace_job_starts_refused_total{pool="programs"}') > 20)); }
await "programs to be refused for want of descriptors" refused
for _ in 1 2 3 4 5; do check "a new client is served beside them" timeout 20 millrace pools list; done
check "jobs are accepted beside them" timeout 20 millrace submit echo --payload hello --wait
check "the daemon is ready" is_ready
check "it never ran out of descriptors for a connection" test "$(grep -c 'cannot accept connections' "$log")" = 0
millrace jobs cancel --kind wait --yes >/dev/null
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0

echo "---- three connections"
write_config <<'TOML'
[server]
connections_max = 3
TOML
start_daemon
flood "a limit of three connections is reached" 6
curl -fsS "http://$http/metrics" >"$scratch/metrics"
check "refused ones are counted" has "$scratch/metrics" 'millrace_grpc_connections_refused_total [1-9]'
finish
