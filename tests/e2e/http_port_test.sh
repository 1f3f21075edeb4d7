#!/usr/bin/env bash
# The HTTP port of a real daemon, beside clients that hold it up if it lets them: a liveness probe must not kill a
# daemon that is well.
source "$(dirname "$0")/harness.sh"

descriptors=()
let_go() {
  local fd
  for fd in "${descriptors[@]}"; do exec {fd}>&-; done
  descriptors=()
}
connect() {
  local count=$1 i fd
  for ((i = 0; i < count; i++)); do
    exec {fd}<>"/dev/tcp/${http%:*}/${http#*:}" || give_up "connection $i was refused"
    descriptors+=("$fd")
  done
}
# The bound only catches a port that is held up; it was so for two minutes by as many clients.
ask() { curl -fsS --max-time 60 "http://$http$1"; }

echo "---- a hundred clients that say nothing"
start_daemon
connect 100
check "/healthz" ask /healthz
check "/readyz" ask /readyz
check "/metrics" ask /metrics
check "/metrics, packed" bash -c \
  "curl -fsS --max-time 60 -H 'Accept-Encoding: gzip' http://$http/metrics | gunzip | grep -q ^millrace_build_info"
check "the pages take less room packed" test \
  "$(curl -fsS -H 'Accept-Encoding: gzip' "http://$http/metrics" | wc -c)" -lt \
  "$(($(curl -fsS "http://$http/metrics" | wc -c) / 4))"
threads() { find "/proc/$daemon/task" -mindepth 1 -maxdepth 1 | wc -l; }
many=$(threads)
let_go
connect 1
check "none of them has a thread ($many beside a hundred, $(threads) beside one)" test "$((many - $(threads)))" -lt 20
let_go
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0

echo "---- more of them than the daemon may have descriptors"
# Half of the descriptors are gRPC's, and the daemon has some thirty of its own.
: >"$log"
(
  ulimit -n 160
  exec millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 \
    >"$log" 2>&1 </dev/null
) &
daemon=$!
await "the daemon to be ready" daemon_is_ready
connect 300
check "/healthz" ask /healthz
check "the other port has descriptors" millrace submit echo --payload hello --wait
let_go
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
finish
