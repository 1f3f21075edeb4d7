#!/usr/bin/env bash
# How the daemon starts: from nothing, from the example, from what it printed itself; what it says when it cannot, all
# of it at once; and what HUP and a log for machines do. (bad_input_test.sh goes through single mistakes.)
source "$(dirname "$0")/harness.sh"

example=$repo/deploy/config.example.toml
free=(--grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0)

echo "---- without starting"
check "the example is good" millraced --config "$example" --check-config
cp "$out" "$scratch/said"
check "it says so" has "$scratch/said" 'good; 3 pools, 2 kinds'
check "nothing at all is good" millraced --check-config
check "the configuration in effect is printed" millraced --config "$example" --procs 3 --print-config
cp "$out" "$scratch/printed.toml"
check "flags are in it" has "$scratch/printed.toml" '^procs = 3$'
refuses 1 'stdout: No space left on device' bash -c 'millraced --print-config >/dev/full'
refuses 1 'stdout: No space left on device' bash -c 'millraced --check-config >/dev/full'
check "it is a configuration" millraced --config "$scratch/printed.toml" --print-config
cp "$out" "$scratch/again.toml"
check "and the same one" cmp "$scratch/printed.toml" "$scratch/again.toml"
check "help" millraced --help
check "version" millraced --version

echo "---- everything that is wrong, at once"
cat >"$config" <<TOML
[server]
grpc_adress = "127.0.0.1:1"
store = "rocksdb"
[pool.a]
runner = "exce"
workers = 0
TOML
refuses 2 "config.toml:2:1: unknown key 'grpc_adress'.*did you mean 'grpc_address'" millraced --config "$config"
cp "$err" "$scratch/problems"
check "the store" has "$scratch/problems" "config.toml:3:1: store = .*--data-dir"
check "the runner" has "$scratch/problems" "config.toml:5:1: unknown runner 'exce'.*'exec'"
check "the range" has "$scratch/problems" "config.toml:6:1: workers = 0 .* from 1 to 10000"
check "and nothing else" test "$(wc -l <"$scratch/problems")" = 4
refuses 2 'MILLRACE_PROCS: procs must be a whole number' env MILLRACE_PROCS=many millraced --check-config
refuses 2 'cannot be written.*--data-dir' millraced "${free[@]}" --data-dir /proc/millrace

echo "---- running"
: >"$config"
export MILLRACE_GRPC_ADDRES=x
start_daemon --log-format json
unset MILLRACE_GRPC_ADDRES
check "every line of the log is JSON" jq -e 'has("time") and has("level") and has("message")' "$log"
check "a variable that is nearly right is mentioned" has "$log" "MILLRACE_GRPC_ADDRES .*MILLRACE_GRPC_ADDRESS"
check "jobs are on the disk, where a folder is named" has "$log" 'store rocksdb .ack fsync.'
check "without pools there is one" millrace pools get default
check "the built-in kinds are there" millrace submit echo --payload hello --wait
check "the status page" curl -fsS "http://$http/"
cp "$out" "$scratch/page"
check "shows the pool" has "$scratch/page" '<td>default</td><td>native</td>'
refuses 2 "$MILLRACE_ADDRESS.*in use" millraced --grpc-address "$MILLRACE_ADDRESS" --http-address 127.0.0.1:0
refuses 2 "$http.*in use" millraced --grpc-address 127.0.0.1:0 --http-address "$http"
kill -HUP "$daemon"
await "word about HUP" grep -q 'SIGHUP' "$log"
check "it lives on" curl -fsS "http://$http/readyz"
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0

echo "---- without a folder, where others can connect"
: >"$log"
millraced --grpc-address 0.0.0.0:0 --http-address 127.0.0.1:0 --insecure >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be ready" daemon_is_ready
check "the log warns" has "$log" 'no authentication'
check "it says that memory forgets, and what does not" has "$log" 'gone when this process ends; --data-dir'
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
finish
