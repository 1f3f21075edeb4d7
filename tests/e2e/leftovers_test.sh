#!/usr/bin/env bash
# No process of an attempt outlives it, wherever it has gone: not when the program ends, is cancelled or is stopped with
# the daemon, and not when the daemon is killed: the next one ends what the killed one left before it starts an attempt.
source "$(dirname "$0")/harness.sh"

write_config <<TOML
[pool.programs]
runner = "exec"
workers = 2

# Its descendant has a session of its own. Tells when one of an earlier attempt lives.
[kind.tree]
pool = "programs"
exec = ["/bin/sh", "-c", '''
for each in \$(cat $scratch/descendants); do
  grep -qsE '^State:[[:space:]]+[^ZX[:space:]]' /proc/\$each/status && echo \$each >>$scratch/overlaps
done
setsid sh -c 'echo \$\$ >>$scratch/descendants; exec sleep 1000' &
sleep 1000; echo done''']
grace = "1s"

# The substitution waits until the descendant, whose parent has ended, has closed the pipe.
[kind.leaves]
pool = "programs"
exec = ["/bin/sh", "-c", "echo \$( (setsid sh -c 'echo \$\$; exec sleep 1000 >/dev/null 2>&1' &) )"]
TOML
: >"$scratch/descendants"
attempts() { wc -l <"$scratch/descendants"; }
begun() { (($(attempts) == $1)); }
descendant() { tail -n 1 "$scratch/descendants"; }
# A zombie is gone: its new parent has yet to bury it, and here that may be anybody.
alive() { grep -qE '^State:[[:space:]]+[^ZX[:space:]]' "/proc/$1/status"; }
gone() { ! alive "$1" 2>/dev/null; }

echo "---- the program ends"
start_daemon
check "a program that leaves a service behind" millrace submit leaves --wait
check "succeeds" has "$out" SUCCEEDED
check "its service is gone" gone "$(grep -oE '[0-9]+ *$' "$out" | tail -n 1 | tr -d ' ')"

echo "---- it is cancelled"
id=$(millrace submit tree)
await "it to run" begun 1
check "cancel" millrace jobs cancel "$id"
await "it to end" is "$id" CANCELLED
check "its descendant is gone" gone "$(descendant)"

echo "---- the daemon is killed"
id=$(millrace submit tree)
await "it to run" begun 2
left=$(descendant)
kill_daemon
check "its descendant goes on: it has a session of its own" alive "$left"
start_daemon
await "the next attempt" begun 3
check "the descendant of the earlier one is gone" gone "$left"
check "no two attempts ever had processes at the same time" test ! -e "$scratch/overlaps"
check "the job runs" is "$id" RUNNING

echo "---- a copy of the folder is another daemon's"
cp -a "$data_dir" "$scratch/copy"
first=$daemon first_address=$MILLRACE_ADDRESS first_http=$http daemon=''
data_dir=$scratch/copy start_daemon --drain-timeout 100ms
second=$daemon
check "it leaves the descendants of the first alone" alive "$(sed -n 3p "$scratch/descendants")"
kill -TERM "$second"
await_end
daemon=$first MILLRACE_ADDRESS=$first_address http=$first_http

echo "---- the daemon is stopped"
left=$(sed -n 3p "$scratch/descendants")
refuses 2 'used by another' millraced --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
kill -TERM "$daemon"
# Two signals of one kind that are pending are one.
not_ready() { [[ $(curl -s -o /dev/null -w '%{http_code}' "http://$http/readyz") == 503 ]]; }
await "the daemon to call itself not ready" not_ready
kill -TERM "$daemon"
await_end
check "a second signal ended it at once" test "$daemon_rc" = 1
start_daemon --drain-timeout 100ms
await "nothing of before to live" gone "$left"
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
check "no descendant lives" gone "$(descendant)"
finish
