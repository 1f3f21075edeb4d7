#!/usr/bin/env bash
# What the daemon promises where time passes, a restart or a change of the configuration comes in between: a paused pool
# stays paused, jobs of a pool that was taken out of the configuration are kept aside, a result is there for whoever
# waited for it, a job is not accepted after its deadline, and nothing but the store lies in the data folder.
source "$(dirname "$0")/harness.sh"

mkfifo "$scratch/gate"
with_a() {
  write_config <<TOML
[jobs]
finished_jobs_max = 0

[pool.one]
workers = 1
capacity = 0
runner = "exec"

[kind.gated]
pool = "one"
exec = ["/bin/sh", "-c", "read line < $scratch/gate"]

$1
TOML
}
with_a '[pool.a]
workers = 1'
start_daemon

echo "---- a result is there for whoever waited for it"
for i in 1 2 3 4 5; do
  check "run prints it, whatever retention says ($i)" test "$(millrace run echo --payload "hello $i")" = "hello $i"
done

echo "---- no acceptance after the deadline"
first=$(millrace submit gated)
await "the only worker to be busy" is "$first" RUNNING
rc=0
millrace submit gated --on-full wait --deadline 300ms >"$scratch/late" 2>"$scratch/said" &
late=$!
waits() { [[ $(metric 'millrace_pool_waiting_submits{pool="one"}') == 1 ]]; }
await "the submit to wait for room" waits
deadline_is_over() { (($(date +%s%3N) > begin + 400)); }
begin=$(date +%s%3N)
await "its deadline to pass" deadline_is_over
echo go >"$scratch/gate"
wait $late || rc=$?
check "it was not accepted ($rc)" test "$rc" != 0 -a ! -s "$scratch/late"
check "and was told why" has "$scratch/said" 'deadline passed'
refuses 2 'spec.delay' millrace submit noop --delay 1h --deadline 10m

echo "---- the data folder is nobody's place"
ln -s "$data_dir/store" "$scratch/link"
for place in "$data_dir/copy" "$data_dir/store/000020.log" "$scratch/link/000020.log" \
  "$scratch/../$(basename "$scratch")/data/copy"; do
  refuses 8 'lies in the data folder' millrace admin backup "$place"
done
refuses 8 'lies in it' millrace admin backup "$scratch"
check "nothing was made" test ! -e "$data_dir/copy" -a ! -e "$data_dir/store/000020.log"

echo "---- a pool stays as its operator left it"
failed=$(millrace submit fail --pool a --max-attempts 1)
await "a job to fail" is "$failed" FAILED
check "pause" millrace pools pause a
check "drain" millrace pools drain one
queued=$(millrace submit noop --pool a)
later=$(millrace submit noop --pool a --delay 30d)
kill_daemon
start_daemon
state() { millrace --json pools list | jq -r "select(.name == \"$1\") | .state"; }
check "paused after kill -9" test "$(state a | grep -o 'PAUSED')" = PAUSED
check "drained as well" test "$(state one | grep -o 'DRAINED')" = DRAINED
check "the log says so" has "$log" "pool 'a' is paused, as its operator left it"
check "its job waits" is "$queued" QUEUED

echo "---- jobs of a pool that is not configured any more"
kill_daemon
with_a ''
start_daemon
check "the log says so, once" test "$(grep -c "pool 'a' is not configured any more: its 2 unfinished jobs" "$log")" = 1
check "they are there" is "$queued" QUEUED
check "with the one that failed" test "$(millrace --json jobs list --pool a | wc -l)" = 3
check "and counted" test "$(metric millrace_missing_pool_jobs)" = 2
refuses 4 "there is no pool 'a'" millrace submit noop --pool a
refuses 8 'cannot be put back, since pool .a. is not configured any more' millrace jobs retry --pool a --state failed \
  --yes
check "and how many" has "$out" '0 of 1 job put back'
check "one is cancelled" millrace jobs cancel "$later"
kill_daemon
with_a '[pool.a]
workers = 1'
start_daemon
check "resume" millrace pools resume a
ran() { [[ $(metric 'millrace_jobs_finished_total{pool="a",kind="noop",outcome="succeeded"}') == 1 ]]; }
await "the other to run now" ran
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0

write_config <<TOML
[jobs]
payload_bytes_max = "8MiB"

[pool.small]
workers = 1
capacity = 3

[pool.programs]
runner = "exec"
workers = 2

[kind.broken]
pool = "programs"
exec = ["false"]

[kind.wc]
pool = "programs"
exec = ["wc", "-c"]
TOML
start_daemon

echo "---- a payload that default clients do not take back"
head -c 5000000 /dev/zero >"$scratch/large"
check "submit --wait tells its result" test "$(millrace submit wc --file "$scratch/large" --wait --json |
  jq -r .resultText)" = 5000000
check "so does run" test "$(millrace run wc --file "$scratch/large")" = 5000000
large=$(millrace --json submit wc --file "$scratch/large" | jq -r .id)
check "wait answers" millrace jobs wait "$large"
check "the result is there" test "$(millrace jobs get "$large" --result)" = 5000000

echo "---- a bulk retry that fills a pool"
sed -i 's/^pool = "programs"$/pool = "small"/; s/^\[pool.small\]$/&\nrunner = "exec"/' "$config"
stop_daemon
start_daemon
check "eight jobs fail" ends_with 1 millrace submit broken --count 8 --max-attempts 1 --wait
check "pause" millrace pools pause small
refuses 5 'full' millrace jobs retry --pool small --state failed --yes
check "and how many" has "$out" '3 of 8 jobs put back'
stop_daemon
check "the daemon ended well again" test "$daemon_rc" = 0
finish
