#!/usr/bin/env bash
# A worker in a network namespace of its own, joined to the daemon's by a cable (veth): packets that vanish both ways,
# or one way (a TCP connection that is half open), and a cable that is pulled, each for longer than the lease. The job
# is lost to the worker, runs elsewhere or again, and ends once; the worker comes back by itself. Nothing depends on
# time but that a lease of three seconds passes.
#
# Packets vanish where their sender believes that the other end has another hardware address: `ip` is enough for that.
# The test runs once more, in a network namespace that ends with it, so that nothing is left behind whatever happens.
if [[ -z ${MILLRACE_OWN_NETWORK:-} ]]; then
  for tool in ip unshare nsenter; do
    command -v "$tool" >/dev/null || { echo "worker_network_test: skipped, there is no $tool"; exit 77; }
  done
  own=(unshare --net)
  "${own[@]}" true 2>/dev/null || own=(unshare --map-root-user --net)
  "${own[@]}" ip link add name cable-a type veth peer name cable-b 2>/dev/null || {
    echo "worker_network_test: skipped, this user may not make network namespaces with veth"
    exit 77
  }
  MILLRACE_OWN_NETWORK=1 exec "${own[@]}" "$0" "$@"
fi
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
processes=()
clean_up_more() {
  local each
  for each in "${processes[@]}"; do kill -KILL "$each" 2>/dev/null || true; done
}

# ---- The network: cable-d is the daemon's end, cable-w the worker's.
here=10.77.0.1 there=10.77.0.2 nobody=02:00:00:00:00:99
sleep_until_killed() { exec unshare --net sleep infinity; }
sleep_until_killed &
away=$!
processes+=("$away")
disown "$away"
is_away() { [[ $(readlink "/proc/$away/ns/net") != $(readlink /proc/self/ns/net) ]]; }
await "the worker's namespace" is_away
away() { nsenter --target "$away" --net "$@"; }
hardware_address() { "$@" | sed -nE 's/.* link\/ether ([0-9a-f:]+) .*/\1/p'; }
ip link set lo up
ip link add name cable-d type veth peer name cable-w netns "$away"
ip address add "$here/30" dev cable-d
ip link set cable-d up
away ip link set lo up
away ip address add "$there/30" dev cable-w
away ip link set cable-w up
address_here=$(hardware_address ip -o link show cable-d)
address_there=$(hardware_address away ip -o link show cable-w)
[[ -n $address_here && -n $address_there ]] || give_up "the cable has no hardware addresses"
to_worker() { ip neighbour replace "$there" lladdr "$1" dev cable-d nud permanent; }
to_daemon() { away ip neighbour replace "$here" lladdr "$1" dev cable-w nud permanent; }
join() {
  to_worker "$address_there"
  to_daemon "$address_here"
}
cut_both() {
  to_worker "$nobody"
  to_daemon "$nobody"
}
cut_to_worker() { to_worker "$nobody"; }
cut_to_daemon() { to_daemon "$nobody"; }
pull() { away ip link set cable-w down; }
plug() {
  away ip link set cable-w up
  join
}
reaches() { away bash -c "exec 3<>/dev/tcp/${address%:*}/${address##*:}"; }

# ---- Workers and jobs
started_by() { grep -q "^$1 [0-9]* $2$" "$scratch/starts"; }
starts_of() { grep -c "^$1 " "$scratch/starts" || true; }
was_stopped() { grep -q "^$1$" "$scratch/stops"; }
open_gate() { touch "$scratch/open-$1"; }
result_of() { job "$1" | jq -r '.result | @base64d'; }
says() { [[ $(job "$1" | jq -r ".$2") == "$3" ]]; }
losses_of() { job "$1" | jq -r .losses; }
was_lost() { (($(losses_of "$1") > 0)); }
# A machine that stands still for long may lose another one.
ran_no_more_than_it_was_lost() { (($(starts_of "$1") <= $(losses_of "$1") + 1)); }
ends_of() { job "$1" | jq -r '[.attemptHistory[] | select(.result == "SUCCEEDED")] | length'; }
start_worker() {  # COMMAND BEFORE IT...; sets $worker.
  "$@" "$bin/gated_worker" "$address" "$scratch" 1 >>"$scratch/worker.log" 2>&1 </dev/null &
  worker=$!
  processes+=("$worker")
}
end_worker() {  # PID: with TERM; sets $worker_rc.
  kill -TERM "$1"
  worker_rc=0
  wait "$1" || worker_rc=$?
}
submit_gated() {  # GATE; sets $id.
  id=$(millrace submit gated --payload "$1")
}
# The worker that is cut off works again: it gets a job, and ends it.
comes_back() {  # PID
  local id
  id=$(millrace submit quick)
  await "the worker that was cut off to be back" is "$id" SUCCEEDED
  check "it is back: a job of the time after was run by it" test "$(result_of "$id")" = "$1"
}

join
millraced --config "$config" --data-dir "$data_dir" --grpc-address "$here:0" --http-address 127.0.0.1:0 \
  --insecure --store rocksdb >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be ready" daemon_is_ready
address=$MILLRACE_ADDRESS
await "the worker's end to reach the daemon" reaches
start_worker nsenter --target "$away" --net
far=$worker

lost_while() {  # NAME HOW_TO_CUT HOW_TO_MEND: its job runs elsewhere.
  local name=$1
  echo "---- $name: a job runs on the worker that is cut off"
  submit_gated "$name"
  await "it to run there" started_by "$id" "$far"
  "$2"
  start_worker env
  near=$worker
  await "another worker to run it" started_by "$id" "$near"
  await "the one that is cut off to stop its own attempt" was_stopped "$id"
  check "the attempt was lost" was_lost "$id"
  open_gate "$name"
  await "it to end" is "$id" SUCCEEDED
  end_worker "$near"
  check "the other worker ends in good order" test "$worker_rc" = 0
  "$3"
  comes_back "$far"
  check "it was started again where it was lost" ran_no_more_than_it_was_lost "$id"
  check "it ended once, by the word of the one that had the lease" test "$(result_of "$id")" = "$near"
  check "one success in its history" test "$(ends_of "$id")" = 1
  check "a loss is no attempt" says "$id" attempts 1
}

lost_while both-ways cut_both join
lost_while to-the-daemon cut_to_daemon join
lost_while to-the-worker cut_to_worker join

echo "---- the cable is pulled, and there is no other worker"
submit_gated pulled
await "it to run" started_by "$id" "$far"
pull
await "its attempt to be lost" was_lost "$id"
await "the worker to stop its own attempt" was_stopped "$id"
check "it waits" is "$id" QUEUED
plug
again() { (($(starts_of "$id") > 1)); }
await "it to run again" again
open_gate pulled
await "it to end" is "$id" SUCCEEDED
check "it was started again where it was lost" ran_no_more_than_it_was_lost "$id"
check "one success in its history" test "$(ends_of "$id")" = 1
check "a loss is no attempt" says "$id" attempts 1

echo "---- cuts that are shorter than the lease"
submit_gated short
await "it to run" started_by "$id" "$far"
for ((round = 0; round < 3; ++round)); do
  cut_both
  join
  check "the daemon is reached again" reaches
done
open_gate short
await "it to end" is "$id" SUCCEEDED
check "it was started again only if it was lost" ran_no_more_than_it_was_lost "$id"
check "one success in its history" test "$(ends_of "$id")" = 1

echo "---- the end"
end_worker "$far"
check "the worker ends in good order" test "$worker_rc" = 0
stop_daemon
check "the daemon ends in good order" test "$daemon_rc" = 0
finish
