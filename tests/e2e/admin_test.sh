#!/usr/bin/env bash
# `millrace admin`: a backup that is made while jobs come and run, and a daemon that goes on from it; what inspect and
# verify say of a stopped store, a running one, a damaged one and none; that neither changes a byte. Children wait on a
# pipe of the test's, so nothing depends on time.
source "$(dirname "$0")/harness.sh"

mkfifo "$scratch/gate"
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 1

[kind.gated]
pool = "programs"
exec = ["/bin/sh", "-c", "read line < $scratch/gate; echo \$line"]
TOML
start() { start_daemon --store rocksdb "$@"; }
sums() { find "$1" -type f -exec sha256sum {} + | sort; find "$1" -printf '%p %m %T@\n' | sort; }
# untouched COMMAND...: it succeeds, or fails, and no file of the store has changed.
untouched() {
  sums "$data_dir" >"$scratch/sums"
  "$@" || [[ $? == "${wanted:-0}" ]]
  sums "$data_dir" | cmp - "$scratch/sums"
}
# What the command of the last check printed, for more than one check.
keep() { cp "$out" "$scratch/said"; }
all_succeeded() { xargs -n 100 millrace --json jobs get <"$1" | jq -r .state | sort | uniq -c |
  grep -qE "^ *$2 SUCCEEDED\$"; }
is_running() { kill -0 "$1"; }
nothing_half_made() { [[ -z $(find "$scratch" -name '*.partial*') ]]; }

echo "---- a backup under load"
start
done_job=$(millrace submit sha256 --payload abc --request-id once --wait | awk '{ print $1 }')
job "$done_job" >"$scratch/before"
running=$(millrace submit gated --payload first)
await "it to run" is "$running" RUNNING
queued=$(millrace submit gated)
later=$(millrace submit noop --delay 1h)
millrace submit sha256 --payload many --count 300 --wait >"$scratch/many.lines"
awk '{ print $1 }' "$scratch/many.lines" >"$scratch/many"
# A load that lasts until it is told to end.
(while [[ ! -e $scratch/enough ]]; do millrace submit noop --count 500 >>"$scratch/load"; done) &
load=$!
some_more() { (($(wc -l <"$scratch/load") > loaded)); }
: >"$scratch/load"
loaded=0
await "the load to begin" some_more
grep -xE '.{26}' "$scratch/load" >"$scratch/acknowledged"  # Its last line may be half there.
check "backup" millrace admin backup "$scratch/copy"
keep
check "it says where" has "$scratch/said" "$scratch/copy"
check "and how to go on from there" has "$scratch/said" 'millraced .*--data-dir'
loaded=$(wc -l <"$scratch/load")
await "jobs to be accepted after it" some_more
check "the load went on meanwhile" is_running "$load"
check "--json" bash -c \
  "millrace --json admin backup '$scratch/json' |
    jq -e '.bytes > 0 and .files > 3 and .folder == \"$scratch/json\" and (.duration | endswith(\"s\"))'"
check "nobody else may read it" test "$(find "$scratch/copy" -printf '%y%m\n' | sort -u | paste -sd' ')" = "d700 f600"
check "nothing half-made is left" nothing_half_made
check "a relative path is one of the caller's" bash -c \
  "cd '$scratch' && mkdir here && millrace admin backup here/relative && [[ -d here/relative/store ]]"
check "the log tells of it" has "$log" "backup: [0-9]+ files .* in $scratch/copy"

echo "---- backups that cannot be"
refuses 8 'not empty' millrace admin backup "$scratch/copy"
refuses 8 'no such file.*choose another|No such file.*choose another' millrace admin backup "$scratch/no/such"
refuses 2 'folder is required' millrace admin backup
check "nothing half-made is left" nothing_half_made
touch "$scratch/enough"
wait "$load"

echo "---- on the copy"
after=$(millrace submit noop)
kill_daemon
data_dir=$scratch/copy
start
job "$done_job" >"$scratch/after"
check "the finished job is what it was, result included" cmp "$scratch/before" "$scratch/after"
check "every job that was finished before is" all_succeeded "$scratch/many" 300
check "every job that was acknowledged before is there" bash -c \
  "xargs -n 100 millrace --json jobs get <'$scratch/acknowledged' | jq -r .id | cmp - '$scratch/acknowledged'"
check "the queued one is there" is "$queued" QUEUED
check "the scheduled one" is "$later" SCHEDULED
check "the running one counts a loss" test "$(job "$running" | jq -r .losses)" = 1
check "the same request is the same job" test "$(millrace submit sha256 --payload abc --request-id once)" = "$done_job"
refuses 4 "$after" millrace jobs get "$after"
echo opened >"$scratch/gate"
await "the repeated one to end" is "$running" SUCCEEDED
await "the next one to run" is "$queued" RUNNING
waiting=$(millrace submit gated)
unfinished() { millrace --json jobs list --kind noop --limit 0 | jq -r .state | grep -cvE 'SUCCEEDED|SCHEDULED'; }
load_is_done() { [[ $(unfinished) == 0 ]]; }
await "the rest of the load" load_is_done

echo "---- looking at a store that is used"
refuses 8 "used by a running millraced .process $daemon.*stop it first" millrace admin inspect "$data_dir"
refuses 8 'used by a running millraced' millrace admin verify "$data_dir"

echo "---- looking at one that is not"
job "$done_job" >"$scratch/online"
job "$later" | jq -c 'del(.waiting)' >"$scratch/online-later"  # Only a daemon knows why it waits.
noops=$(millrace --json jobs list --kind noop --limit 0 | wc -l)
kill_daemon
check "inspect" untouched millrace admin inspect "$data_dir"
keep
check "it counts" has "$scratch/said" 'jobs: .* 1 SCHEDULED'
check "it names the oldest that waits" has "$scratch/said" "oldest queued: +$waiting"
check "inspect --json" untouched millrace --json admin inspect "$data_dir"
check "its numbers" jq -e \
  ".format >= 1 and .jobs.SCHEDULED == 1 and .unreadable == 0 and .requestIds >= 1 and .bytes > .logBytes and
  ([.jobs[]] | add) == 304 + $noops and .jobs.SUCCEEDED == 301 + $noops and .oldestQueued.id == \"$waiting\" and
  ([.shelves[].name] | index(\"live\")) != null" "$out"
check "inspect --job" untouched millrace admin inspect "$data_dir" --job "$done_job"
check "as a person reads it" has "$out" SUCCEEDED
check "inspect --job --json" untouched millrace --json admin inspect "$data_dir" --job "$done_job"
check "as jobs get prints it" cmp "$out" "$scratch/online"
check "of one that waits too" bash -c \
  "millrace --json admin inspect '$data_dir' --job $later | jq -c . | cmp - '$scratch/online-later'"
refuses 4 "$after" millrace admin inspect "$data_dir" --job "$after"
refuses 2 'is not a job id' millrace admin inspect "$data_dir" --job x
refuses 4 'no store in' millrace admin inspect "$scratch/none"
check "verify" untouched millrace admin verify "$data_dir"
check "it is sound" has "$out" '^sound: '
check "verify --json" untouched millrace --json admin verify "$data_dir"
check "sound there too" jq -e '.sound and .complete and .records >= 2 * .jobs and ([.problems[]] | add) == 0' "$out"
check "a backup that nobody started on is sound" millrace admin verify "$scratch/json"
check "the store it was made from" millrace admin verify "$scratch/data"
refuses 4 'no store in' millrace admin verify "$scratch/none"

echo "---- damage"
# The largest: jobs, and not the number of the format, without which nothing can be said.
table=$(find "$data_dir" -name '*.sst' -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
printf 'damage' | dd of="$table" bs=1 seek=100 conv=notrunc status=none
wanted=1
check "verify exits with 1 and changes nothing" untouched millrace admin verify "$data_dir"
refuses 1 '' millrace admin verify "$data_dir"
keep
check "it says what" has "$scratch/said" '^damaged: file [0-9]+'
check "and names the file" has "$scratch/said" "$(basename "$table")"
check "--json says so" bash -c \
  "millrace --json admin verify '$data_dir' |
    jq -e '(.sound | not) and .problems.file > 0 and .first[0].problem == \"file\"'"
refuses 10 'is damaged.*restore the folder' millrace admin inspect "$data_dir"
check "inspect says what it can" has "$out" '^format: +[0-9]'
rm "$table"
refuses 1 '' millrace admin verify "$data_dir"
refuses 10 'is damaged' millrace admin inspect "$data_dir"

echo "---- the other modes, and memory"
for ack in interval none; do
  data_dir=$scratch/$ack
  start --ack $ack
  id=$(millrace submit sha256 --payload "$ack" --wait | awk '{ print $1 }')
  check "a backup with ack $ack" millrace admin backup "$scratch/$ack-copy"
  kill_daemon
  data_dir=$scratch/$ack-copy
  start
  check "it holds what was acknowledged" is "$id" SUCCEEDED
  kill_daemon
done
data_dir=$scratch/memory
start_daemon --store memory
refuses 8 'keeps its jobs in memory.*--store rocksdb' millrace admin backup "$scratch/of-memory"
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
refuses 3 'cannot reach millraced' millrace admin backup "$scratch/of-nobody"
finish
