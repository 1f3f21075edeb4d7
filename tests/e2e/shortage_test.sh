#!/usr/bin/env bash
# The user is at its limit of processes: programs that cannot be started cost no attempt and no loss, their jobs wait,
# the log says so once, a metric counts, and when there is room again they run.
source "$(dirname "$0")/harness.sh"

write_config <<'TOML'
[pool.programs]
runner = "exec"
workers = 4
[kind.hello]
pool = "programs"
exec = ["echo", "hello"]
TOML
command -v prlimit >/dev/null || skip "prlimit is not installed (util-linux)"
as_nobody=()
if ((EUID == 0)); then
  # Root has no such limit.
  chmod 755 "$scratch"
  mkdir "$data_dir"
  chown nobody "$data_dir"
  as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
  "${as_nobody[@]}" test -x "$bin/millraced" -a -r "$config" 2>/dev/null || skip "nobody cannot run $bin/millraced"
  millraced() { exec "${as_nobody[@]}" "$bin/millraced" "$@"; }
fi
if ((EUID == 0)); then
  echo "---- no thread at the start"
  refuses 2 'cannot start: .*limits of this user' "${as_nobody[@]}" prlimit --nproc=1: "$bin/millraced" \
    --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0
fi

echo "---- no process later"
start_daemon
check "a program runs" millrace submit hello --wait
check "a native job runs" millrace submit sha256 --payload x --wait

limit() { "${as_nobody[@]}" prlimit --pid "$daemon" "$@"; }
limit --nproc=1:
ids=()
for _ in 1 2 3; do ids+=("$(millrace submit hello --max-attempts 1 --once)"); done
refused() { (($(metric 'millrace_job_starts_refused_total{pool="programs"}') >= $1)); }
await "starts to be refused" refused 6
for id in "${ids[@]}"; do
  check "no attempt is spent" test "$(job "$id" | jq -r '.attempts // 0')" = 0
  check "the job says why it waits" test "$(job "$id" | jq -r .error | grep -c 'Resource temporarily unavailable')" = 1
done
check "the log says so once" test "$(grep -c 'spends no attempt' "$log")" = 1
check "a native job runs" millrace submit sha256 --payload x --wait
check "the daemon is ready" curl -fsS "http://$http/readyz"

hard=$(limit --nproc --noheadings --raw --output HARD)
limit --nproc="$hard":
for id in "${ids[@]}"; do
  check "it runs when there is room" millrace jobs wait "$id"
  check "at its only attempt" test "$(job "$id" | jq -r .attempts)" = 1
done
stop_daemon
check "it ended with 0" test "$daemon_rc" = 0
finish
