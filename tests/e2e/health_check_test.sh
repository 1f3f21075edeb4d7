#!/usr/bin/env bash
# millraced --check-health, as a container's health check runs it: asks where the daemon of this configuration listens,
# by flag, variable or file; and why a daemon is not ready.
source "$(dirname "$0")/harness.sh"

write_config <<'TOML'
TOML
check_health() { millraced --config "$config" --check-health "$@"; }

start_daemon
refuses 1 'port that the system chose' check_health --grpc-address 127.0.0.1:0
at=(--grpc-address "$MILLRACE_ADDRESS" --http-address "$http")
check "flags" check_health "${at[@]}"
check "it says so" has "$out" '^ready$'
export MILLRACE_GRPC_ADDRESS=$MILLRACE_ADDRESS MILLRACE_HTTP_ADDRESS=$http
check "variables" check_health
unset MILLRACE_GRPC_ADDRESS MILLRACE_HTTP_ADDRESS
write_config <<TOML
[server]
grpc_address = "0.0.0.0:${MILLRACE_ADDRESS##*:}"
http_address = "0.0.0.0:${http##*:}"
insecure = true
TOML
check "a file, and an address that stands for all" check_health

id=$(millrace submit sleep --payload 1h)
running() { is "$id" RUNNING; }
await "a job to run" running
kill -TERM "$daemon"
not_ready() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz") == 503 ]]; }
await "the daemon to drain" not_ready
refuses 1 'not ready: draining' check_health
check "cancel" millrace jobs cancel "$id"
await_end
refuses 1 'no daemon answers at the gRPC address 0.0.0.0:[0-9]+: Connection refused' check_health
echo 'nonsense' >"$config"
refuses 2 '' check_health
finish
