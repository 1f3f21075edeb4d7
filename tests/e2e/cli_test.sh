#!/usr/bin/env bash
# Every command of `millrace` once, as a person types it and as a program reads it (--json through jq), with its exit
# code.
source "$(dirname "$0")/harness.sh"

write_config <<TOML
[pool.programs]
runner = "exec"
workers = 2

[kind.wc]
pool = "programs"
exec = ["wc", "-c"]

[kind.traced]
pool = "programs"
exec = ["/bin/sh", "-c", "echo \$TRACEPARENT \$TRACESTATE \$BAGGAGE"]

[kind.talks]
pool = "programs"
exec = ["/bin/sh", "-c", "echo from the child >&2; cat"]
TOML
start_daemon

# json FILTER COMMAND...: every line of its --json output satisfies the jq FILTER, and there is one.
json() {
  local filter=$1
  shift
  millrace --json "$@" >"$scratch/json" && jq -es "length > 0 and all(.[]; $filter)" "$scratch/json" >/dev/null
}
says() {
  local words=$1
  shift
  "$@" >"$scratch/said" && has "$scratch/said" "$words"
}
# Its standard output is exactly TEXT.
prints() {
  local text=$1
  shift
  [[ $("$@") == "$text" ]]
}

echo "---- help"
for command in "" submit run jobs "jobs list" "jobs get" "jobs explain" "jobs wait" "jobs watch" "jobs cancel" \
  "jobs retry" "jobs delete" \
  pools "pools list" "pools get" "pools resize" "pools pause" "pools resume" "pools drain" \
  workers "workers list" "workers get" "workers drain" "workers resume" admin "admin backup" \
  "admin inspect" \
  "admin verify" bench; do
  # shellcheck disable=SC2086  # words of one command
  check "millrace $command --help" says -- millrace $command --help
done
for command in pause drain resize; do
  check "pools $command --help says what a restart does to it" says restart millrace pools "$command" --help
done
check "the exit codes are documented" says '130' millrace --help
check "version" says '[0-9]+\.[0-9]+' millrace --version
check "the daemon's version" says '[0-9]+\.[0-9]+' millraced --version

echo "---- the trace that the caller is part of"
parent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
traced() { TRACEPARENT=$parent TRACESTATE=a=1 BAGGAGE=user=7 millrace "$@"; }
check "goes on to a program" prints "$parent a=1 user=7" traced run traced
check "goes on with many jobs" says "$parent a=1 user=7" traced submit traced --count 2 --wait
check "is shown" says "$parent" millrace jobs get "$(traced submit traced)"
check "a malformed one hurts nobody" prints "" env TRACEPARENT=nonsense BAGGAGE=$'two\nlines' millrace run traced

echo "---- submit"
id=$(millrace submit echo --payload hello)
check "prints an id that can be used" test ${#id} = 26
check "--json" json '.id | length == 26' submit echo --payload hello
check "--wait prints the result" says hello millrace submit echo --payload hello --wait
check "--wait --json" json '.state == "SUCCEEDED" and .resultText == "hello"' submit echo --payload hello --wait
printf 'twelve bytes' >"$scratch/a"
printf 'five5' >"$scratch/b"
check "--file" json '.resultText == "12\n"' submit wc --file "$scratch/a" --wait
check "--file - is stdin" bash -c 'printf abc | millrace submit wc --file - --wait | grep -q 3'
check "several files" json '.state == "SUCCEEDED" and (.file | endswith("/a") or endswith("/b"))' \
  submit wc --file "$scratch/a" --file "$scratch/b" --wait
printf '%s\n' "$scratch/a" "$scratch/b" >"$scratch/list"
check "--files-from" json '.state == "SUCCEEDED"' submit wc --files-from "$scratch/list" --wait
check "one line for each" test "$(wc -l <"$scratch/json")" = 2
check "--count" test "$(millrace submit noop --count 20 | sort -u | wc -l)" = 20
check "all options at once" json '.state == "SUCCEEDED"' submit echo --pool default --payload x --band high \
  --delay 10ms \
  --run-timeout 10s --deadline 1h --max-attempts 3 --once --label team=a --request-id first --on-full wait --wait
again=$(millrace submit echo --payload y --request-id again)
check "the same request id is the same job" prints "$again" millrace submit echo --payload y --request-id again
refuses 8 "again" millrace submit echo --payload other --request-id again
check "a failed job makes the exit code 1" ends_with 1 millrace submit fail --payload 'permanent: on purpose' --wait
check "a deadline that passes makes it 7" ends_with 7 millrace submit sleep --payload 1h --deadline 100ms --wait
check "--timeout that passes makes it 6" ends_with 6 millrace --timeout 200ms submit sleep --payload 1s --wait

echo "---- run"
check "prints the result alone" prints hello millrace run echo --payload hello
check "shows the log on stderr" bash -c "millrace run talks --payload x 2>&1 >/dev/null | grep -q 'from the child'"
check "exits with the job's outcome" ends_with 1 millrace run fail --payload 'permanent: on purpose'

echo "---- jobs"
check "list" says SUCCEEDED millrace jobs list
check "list --json" json 'type == "object"' jobs list
check "list --filter" says FAILED millrace jobs list --filter 'state = FAILED'
check "get" says "$id" millrace jobs get "$id"
check "get --json" json ".id == \"$id\" and .state == \"SUCCEEDED\"" jobs get "$id"
check "get --result prints the result alone" prints hello millrace jobs get "$id" --result
check "wait" says "$id|SUCCEEDED" millrace jobs wait "$id"
check "wait --json" json '.state == "SUCCEEDED"' jobs wait "$id"
check "explain" says "$id has ended: SUCCEEDED" millrace jobs explain "$id"
check "watch ends with the job" says SUCCEEDED millrace jobs watch "$id"
check "watch --json" json 'type == "object"' jobs watch "$id"
later=$(millrace submit noop --delay 1h)
check "explain of a job that waits" says "$later is SCHEDULED: .* It is due at" millrace jobs explain "$later"
check "explain --json" json '.reason == "TIME"' jobs explain "$later"
check "cancel" millrace jobs cancel "$later"
check "cancel was heard" json '.state == "CANCELLED"' jobs get "$later"
refuses 8 "CANCELLED" millrace jobs cancel "$later"
check "retry" millrace jobs retry "$later"
check "it runs after all" ends_with 0 millrace jobs wait "$later"
check "delete" millrace jobs delete "$later"
check "a selection is counted first" says '[1-9]' millrace jobs delete --state succeeded --count-only
check "and deleted" says '[1-9]' millrace jobs delete --kind noop --yes
refuses 4 "$later" millrace jobs get "$later"

echo "---- pools"
check "list" says programs millrace pools list
check "list --json" json 'type == "object"' pools list
check "get" says default millrace pools get default
check "get --json" json '.name == "programs" and .workers == 2 and (.kinds | index("wc") != null)' pools get programs
check "resize" json '.workers == 5' pools resize programs --workers 5
check "resize --capacity-jobs" json '.capacityJobs == 77' pools resize programs --capacity-jobs 77
check "pause" json '.state == "PAUSED"' pools pause programs
id=$(millrace submit wc --payload x)
check "a paused pool keeps its jobs" json '.state == "QUEUED" and .waiting.reason == "POOL"' jobs get "$id"
check "resume" json '.state == "ACTIVE"' pools resume programs
check "and does them then" ends_with 0 millrace jobs wait "$id"
check "drain" json '.state == "DRAINED"' pools drain programs
refuses 8 "drain" millrace submit wc --payload x
check "resume again" millrace pools resume programs

echo "---- workers"
check "list" says 'no workers' millrace workers list
check "list --kind" says 'no worker offers resize' millrace workers list --kind resize
for verb in get drain resume; do
  refuses 4 'millrace workers list' millrace workers $verb nobody
done

echo "---- bench"
check "bench" says 'P99' millrace bench --jobs 2000
check "bench --json" json 'type == "object"' bench --jobs 2000

stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
finish
