#!/usr/bin/env bash
# What people do to the command that its authors did not think of: output that cannot be written, variables that are not
# set, lists from other systems, a daemon that is away for a moment, jobs that say what no terminal should hear.
source "$(dirname "$0")/harness.sh"

printf '%s\n' '#!/bin/sh' 'head -c 1000000 /dev/zero | tr "\0" x' >"$scratch/big"
printf '%s\n' '#!/bin/sh' 'printf "\033[2Jloud\n" >&2' 'exit 1' >"$scratch/loud"
chmod +x "$scratch/big" "$scratch/loud"
write_config <<TOML
[pool.programs]
runner = "exec"
workers = 2

[pool.thumbs]

[kind.big]
pool = "programs"
exec = ["$scratch/big"]

[kind.loud]
pool = "programs"
exec = ["$scratch/loud"]

[kind.wc]
pool = "programs"
exec = ["wc", "-c"]
TOML
start_daemon

echo "---- a disk that is full"
big=$(millrace submit big)
check "a large result" millrace jobs wait "$big"
millrace submit noop --count 300 >/dev/null
full() { refuses 10 'stdout: No space left on device' bash -c 'exec millrace "$@" >/dev/full' - "$@"; }
full jobs get "$big" --result
full run big
full run echo --payload small
full jobs get "$big"
full jobs get "$big" --json
full jobs list --limit 0
full jobs list --limit 0 --json
full pools list
full pools list --json
full pools get default
full submit noop
full submit noop --count 3 --wait
full jobs wait "$big"
full --timeout 60s jobs watch "$big" --json
full jobs delete --state succeeded --count-only

echo "---- an option that is empty"
before=$(millrace jobs list --limit 0 --json | wc -l)
refuses 2 'pool.* is empty' millrace jobs delete --state succeeded --pool "" --yes
check "nothing was deleted" test "$(millrace jobs list --limit 0 --json | wc -l)" = "$before"

echo "---- a payload that no request holds"
head -c 2M /dev/zero >"$scratch/2m"
truncate -s 70M "$scratch/70m"
refuses 2 'payload has 2097152 bytes' millrace submit sha256 --file "$scratch/2m"
refuses 2 '70.0 MiB.*64 MiB' millrace submit sha256 --file "$scratch/70m"
refuses 2 '64 MiB' bash -c "head -c 80M /dev/zero | millrace run sha256 --file -"
refuses 2 '64 MiB' millrace submit sha256 --file "$scratch/70m" --file "$scratch/70m"
check "stdin that nobody reads is told" bash -c "echo x | millrace submit sha256 2>&1 | grep -q 'stdin was not read'"
check "a payload beside it is accepted" bash -c \
  "echo x | millrace submit sha256 --payload y >'$scratch/said' 2>&1 && test -s '$scratch/said'"
check "and then nothing is told" bash -c "! grep -q stdin '$scratch/said'"

echo "---- words of other systems"
printf 'one' >"$scratch/a"
printf '\xef\xbb\xbf%s\r\n%s\r\n' "$scratch/a" "$scratch/a" >"$scratch/list"
check "a list with CR LF and a byte order mark" millrace submit wc --files-from "$scratch/list" --wait

echo "---- a deadline that is relative"
first=$(millrace submit echo --payload x --request-id relative --deadline 1h)
check "is the same when it is said again" test \
  "$(millrace submit echo --payload x --request-id relative --deadline 1h)" = "$first"
refuses 8 'relative' millrace submit echo --payload x --request-id relative --deadline 2h
refuses 2 'deadline_after' millrace submit echo --delay 2h --deadline 1h
refuses 2 '366 days' millrace submit echo --delay 400d

echo "---- what jobs say to a terminal"
loud=$(millrace submit loud --max-attempts 1)
refuses 1 '' millrace jobs wait "$loud"
later=$(millrace submit noop --delay 1h)
check "a reason with an escape sequence" millrace jobs cancel "$later" --reason $'\e[2Jgone'
quiet() { ! "$@" | LC_ALL=C grep -q "$(printf '\033')"; }
for command in "jobs get $later" "jobs get $loud" "jobs list" "jobs wait $later" "jobs watch $later"; do
  # shellcheck disable=SC2086  # words of one command
  check "$command" quiet bash -c "millrace $command 2>&1"
done
check "the log as it is, where it is asked for" bash -c \
  "millrace jobs get $loud --log | LC_ALL=C grep -q '$(printf '\033')'"
on_terminal() { script -qec "$1" /dev/null </dev/null; }
check "but not on a terminal" quiet on_terminal "millrace jobs get $loud --log"
refuses 2 "cannot read .*/\?\[2J" millrace submit echo --file "$scratch/"$'\e[2J'

echo "---- names that nobody has"
refuses 4 "no pool 'thumps'.*" millrace jobs list --pool thumps
refuses 4 "did you mean 'thumbs'" millrace jobs list --filter 'pool = "thumps"'
refuses 4 "no kind 'eco'" millrace jobs delete --kind eco --yes
refuses 4 "no pool" millrace jobs watch --pool thumps
check "an empty answer is one" millrace jobs list --pool thumbs

echo "---- the wrong door"
refuses 3 'HTTP port' millrace pools list --address "$http"

echo "---- jobs that were forgotten"
gone=$(millrace submit echo --payload x --request-id gone)
check "a job" millrace jobs wait "$gone"
check "is deleted" millrace jobs delete "$gone"
refuses 4 'forgotten' millrace submit echo --payload x --request-id gone --wait
refuses 4 'forgotten' millrace run echo --payload x --request-id gone

echo "---- a drain that is given up"
pool_is() { [[ $(metric "millrace_pool_state{pool=\"default\",state=\"$1\"}") == 1 ]]; }
slow=$(millrace submit sleep --payload 1h --pool default)
refuses 6 'millrace pools resume default' millrace --timeout 300ms pools drain default
check "resume" millrace pools resume default
millrace pools drain default 2>"$scratch/drain.err" &
drain=$!
await "the pool to drain" pool_is draining
kill -INT "$drain"
check "Ctrl-C ends the command" ends_with 130 wait "$drain"
check "with a word of the pool" has "$scratch/drain.err" 'millrace pools resume default'
check "which goes on draining" pool_is draining
check "cancel" millrace jobs cancel "$slow"
check "resume again" millrace pools resume default

echo "---- a daemon that is away for a moment"
config_port=${MILLRACE_ADDRESS##*:}
millrace submit echo --payload one --delay 2s --label away=yes --wait >"$scratch/one" 2>"$scratch/one.err" &
one=$!
millrace submit sleep --payload 1s --count 3 --label away=yes --wait >"$scratch/many" 2>"$scratch/many.err" &
many=$!
accepted() { (($(millrace jobs list --label away=yes --json | wc -l) == 4)); }
await "both to be submitted" accepted
kill_daemon
millraced --config "$config" --data-dir "$data_dir" --grpc-address "127.0.0.1:$config_port" --http-address 127.0.0.1:0 \
  >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be back" daemon_is_ready
rc=0
wait "$one" || rc=$?
check "submit --wait waits on ($(tail -n 1 "$scratch/one.err"))" test "$rc" = 0
check "and prints the result" has "$scratch/one" one
rc=0
wait "$many" || rc=$?
check "and so does it for many ($(tail -n 1 "$scratch/many.err"))" test "$rc" = 0

echo "---- a folder of somebody else"
if ((EUID == 0)) && setpriv --reuid=65534 --clear-groups millrace-admin --version >/dev/null 2>&1; then
  chmod 755 "$scratch"
  mkdir -m 700 "$scratch/secret"
  refuses 9 'cannot be read' setpriv --reuid=65534 --clear-groups "$bin/millrace-admin" admin inspect "$scratch/secret"
  printf 'x' >"$scratch/unreadable"
  chmod 600 "$scratch/unreadable"
  refuses 2 "^millrace: cannot read $scratch/unreadable: Permission denied" \
    setpriv --reuid=65534 --clear-groups "$bin/millrace" submit wc --file "$scratch/unreadable" \
    --file "$scratch/unreadable"
fi

stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
finish
