#!/usr/bin/env bash
# What a program has saved its job's next attempt gets: after kill -9 of the daemon in the midst of the first one, after
# a failure, and after a retry of a dead letter. The program waits on a pipe of the test's, so nothing depends on time.
# The script that README.md shows is run as well.
source "$(dirname "$0")/harness.sh"

mkfifo "$scratch/gate"
: >"$scratch/starts"
cat >"$scratch/count.sh" <<SH
n=\${MILLRACE_CHECKPOINT:-0}
echo "\$MILLRACE_KIND starts at \$n" >>$scratch/starts
n=\$((n + 1))
echo "\$n" >&3
printf 'cut off' >&3
read -r word <$scratch/gate
[ "\$word" = go ] && echo "\$n"
SH
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 1

[kind.count]
pool = "programs"
checkpoint = true
exec = ["/bin/sh", "$scratch/count.sh"]
retry = { max_attempts = 5, initial_backoff = "1ms", max_backoff = "1ms" }

[kind.once]
pool = "programs"
checkpoint = true
exec = ["/bin/sh", "$scratch/count.sh"]
retry = { max_attempts = 1 }

[kind.compress]
pool = "programs"
checkpoint = true
exec = ["/bin/sh", "$scratch/readme.sh"]
retry = { max_attempts = 1 }
TOML
sed -n '/^saved=/,/^done$/p' "$repo/README.md" >"$scratch/readme.sh"
start() { start_daemon --store rocksdb; }
started() { grep -qx "$1" "$scratch/starts"; }
saved() { [[ $(job "$1" | jq -r '.checkpointBytes') == "$2" ]]; }
# Waits for the program to read it.
tell() { timeout "$patience" bash -c "echo $1 >$scratch/gate" || give_up "nobody reads '$1'"; }

echo "---- the daemon is killed while the program runs"
check "the configuration shows the option" has <(millraced --config "$config" --print-config) '^checkpoint = true$'
start
counted=$(millrace submit count)
await "the first attempt" started "count starts at 0"
await "its checkpoint" saved "$counted" 1
# The journal keeps its order, so what was saved before this is written down once this is.
check "another job is written down" millrace submit sha256 --payload later --wait
kill_daemon
start
await "the next attempt to go on from the checkpoint" started "count starts at 1"
check "the daemon lost the first one" test "$(job "$counted" | jq -r .losses)" = 1

echo "---- the program fails"
tell fail
await "the next attempt to go on from the newest" started "count starts at 2"
check "the log says that the end of it was cut off" has <(millrace jobs get "$counted" --log) 'not end in a line feed'

echo "---- the program succeeds"
tell go
await "it to succeed" is "$counted" SUCCEEDED
check "it went on three times" test "$(job "$counted" | jq -r '.result | @base64d')" = 3
check "a job that succeeded keeps none" saved "$counted" 0

echo "---- a dead letter"
dead=$(millrace submit once)
await "its only attempt" started "once starts at 0"
tell fail
await "it to fail" is "$dead" FAILED
check "it keeps its checkpoint" saved "$dead" 1
check "it can be retried" millrace jobs retry "$dead"
await "it to go on from there" started "once starts at 1"
tell go
await "it to succeed" is "$dead" SUCCEEDED

echo "---- the script of README.md"
printf '%s\n' "$scratch"/{one,two,three} >"$scratch/list"
touch "$scratch"/{one,three}
compressed=$(millrace submit compress --file "$scratch/list" | awk '{ print $1 }')
await "it to fail where a file is missing" is "$compressed" FAILED
check "the first one is compressed" test -e "$scratch/one.gz" -a ! -e "$scratch/one"
touch "$scratch/two"
check "it can be retried" millrace jobs retry "$compressed"
await "it to go on with the second, as the first one is not there any more" is "$compressed" SUCCEEDED
check "all are compressed" test -e "$scratch/two.gz" -a -e "$scratch/three.gz"
stop_daemon
finish
