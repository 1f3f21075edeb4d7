#!/usr/bin/env bash
# The main job as deploy/run.sh does it for a stranger, on fewer files: real files compressed by exec jobs and hashed by
# native ones, every result checked against the original and sha256sum. Then the checking itself is checked, with a gzip
# that is none.
source "$(dirname "$0")/harness.sh"

run() {
  "$repo/deploy/run.sh" --bin "$bin" --state "$scratch/state" --files 40 --grpc-address 127.0.0.1:0 \
    --http-address 127.0.0.1:0 "$@"
}
clean_up_more() { "$repo/deploy/run.sh" --bin "$bin" --state "$scratch/state" --stop >/dev/null 2>&1 || true; }

check "the first run" run
cp "$out" "$scratch/first"
check "every file is compressed and comes back" has "$scratch/first" '^gzip +40 of 40 unpack'
check "every digest is that of sha256sum" has "$scratch/first" '^sha256 +40 of 40 digests'
check "both pools are reported" test "$(grep -cE '^(programs|default) +40 ' "$scratch/first")" = 2
check "efficiency was measured" has "$scratch/first" '^programs .* 0\.([1-9][0-9]|0[1-9]) +[01]\.[0-9]+$'
check "context switches are reported" has "$scratch/first" '^context switches, voluntary: +[1-9][0-9]*'
check "its jobs are kept on disk" has "$scratch/state/daemon.log" 'store rocksdb'
check "it says how to stop" has "$scratch/first" '^stop .*run.sh .*--stop'
pid=$(cat "$scratch/state/pid")

check "a second run" run --stop-after
cp "$out" "$scratch/second"
check "it uses the daemon that is there" has "$scratch/second" "runs already, pid $pid"
check "its results are right as well" has "$scratch/second" '^sha256 +40 of 40 digests'
check "and it stops it" test ! -e "/proc/$pid"

sed 's|^exec = \["gzip".*|exec = ["cat"]|' "$repo/deploy/config.example.toml" >"$config"
checks=$((checks + 1))
rc=0
run --config "$config" --stop-after >"$out" 2>"$err" || rc=$?
if ((rc == 1)) && has "$out" '^gzip +0 of 40' && has "$out" '^WRONG'; then
  echo "ok      a program that does not do its work is found out"
else
  failures=$((failures + 1))
  echo "FAILED  a gzip that is cat should make the run fail with 1, not $rc"
  tail -n 20 "$out" "$err"
fi
finish
