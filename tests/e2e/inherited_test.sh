#!/usr/bin/env bash
# Whatever starts the daemon may have ignored or blocked signals, closed descriptors, or made it process 1 of a
# container: it works all the same. Its umask is that of the jobs.
source "$(dirname "$0")/harness.sh"

write_config <<'TOML'
[pool.programs]
runner = "exec"
[kind.umask]
pool = "programs"
exec = ["/bin/sh", "-c", "umask"]
TOML
runs_a_program() { millrace submit umask --wait; }

echo "---- signals"
# start_daemon starts what this name stands for.
millraced() { exec env --ignore-signal=CHLD --block-signal=URG,CHLD,TERM "$bin/millraced" "$@"; }
start_daemon
check "a program runs though SIGCHLD was ignored" runs_a_program
stop_daemon
check "TERM ends it though it was blocked" test "$daemon_rc" = 0
unset -f millraced

echo "---- umask"
(umask 022 && : >"$scratch/open")
before=$(umask)
umask 077
start_daemon
check "a program" runs_a_program
check "has the daemon's" has "$out" 0077
stop_daemon
umask "$before"

echo "---- descriptors"
millraced --config "$config" --data-dir "$data_dir" --grpc-address "$MILLRACE_ADDRESS" --http-address "$http" \
  <&- >&- 2>&- &
daemon=$!
await "the daemon to be ready" curl -fsS "http://$http/readyz"
for fd in 0 1 2; do
  check "what was closed, $fd, is /dev/null" test "$(readlink "/proc/$daemon/fd/$fd")" = /dev/null
done
check "a program" runs_a_program
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0

echo "---- process 1"
if unshare --pid --fork --mount-proc true 2>/dev/null; then
  millraced() { exec unshare --pid --fork --kill-child --mount-proc "$bin/millraced" "$@"; }
  start_daemon
  unset -f millraced
  inside=$(cat "/proc/$daemon/task/$daemon/children")
  inside=${inside%% *}
  check "it is process 1" grep -qE '^NSpid:.*[[:space:]]1$' "/proc/$inside/status"
  check "a program" runs_a_program
  check "an orphan comes to it" nsenter --target "$inside" --pid sh -c '(sleep 0.1 &)'
  no_children() { [[ -z $(cat "/proc/$inside/task/$inside/children") ]]; }
  await "it to bury the orphan" no_children
  kill -TERM "$inside"
  await_end
else
  echo "        skipped: no namespace for processes can be made here"
fi
finish
