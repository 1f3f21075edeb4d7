#!/usr/bin/env bash
# The Python client: its generated part is what the protos say, it can be installed, and it does what its tests want
# against a real daemon. A worker of it that is killed, or whose daemon is, loses no job. Skipped where there is no
# Python 3.9, or its packages cannot be had (tests/support/fetched_tools.sh).
source "$(dirname "$0")/harness.sh"
# shellcheck source=tests/support/fetched_tools.sh
source "$repo/tests/support/fetched_tools.sh"

python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
  skip "there is no Python 3.9 with venv"
fetch python-client-2 bash -c 'python3 -m venv env &&
  env/bin/pip install -q setuptools wheel grpcio grpcio-tools==1.62.3 googleapis-common-protos' ||
  skip "packages of Python cannot be had: $why"
python=$cache/python-client-2/env/bin/python

echo "---- generated code"
PYTHON=$python "$repo/client/python/generate.sh" "$scratch/generated"
check "client/python/millrace/v1 is what generate.sh makes" diff -r -x __pycache__ "$scratch/generated/millrace/v1" \
  "$repo/client/python/millrace/v1"

echo "---- installed"
# From a copy: pip leaves its own files beside the sources.
cp -r "$repo/client/python" "$scratch/source"
check "pip installs it" "$python" -m pip install -q --no-deps --no-build-isolation --target "$scratch/site" \
  "$scratch/source"
export PYTHONPATH=$scratch/site PYTHONDONTWRITEBYTECODE=1

write_config <<TOML
[jobs]
result_bytes_max = "8MiB"

[workers]
lease = "3s"
resume_grace = "1s"

[pool.remote]
runner = "remote"
TOML
start_daemon --store rocksdb
echo "---- its tests"
for tests in python_test large_result_test heartbeat_test; do
  check "those of $tests.py pass" "$python" "$repo/tests/client/python/$tests.py"
  ((failures == 0)) || cat "$err"
  grep -c ' \.\.\. ok$' "$err" || true
done

echo "---- the example, killed and restarted under"
"$python" "$repo/client/python/examples/worker.py" "$MILLRACE_ADDRESS" >"$scratch/worker.log" 2>&1 </dev/null &
worker=$!
clean_up_more() { kill -KILL "$worker" 2>/dev/null || true; }
ask() { millrace --timeout 60 submit "$1" --payload "$2" --wait; }
counted=$(ask count-words '{"text":"the quick brown fox"}' | awk '{ print $3 }')
check "it counts words" test "$counted" = '{"words":4,"longest":"quick"}'
# shellcheck disable=SC2016  # the backquotes are those of Markdown
sed -n '/^```python/,/^```$/p' "$repo/client/python/README.md" | grep -v '^```' |
  sed "s/127\.0\.0\.1:7070/$MILLRACE_ADDRESS/" >"$scratch/readme.py"
check "README.md's program gets its result" test "$("$python" "$scratch/readme.py")" = \
  "{'words': 4, 'longest': 'quick'}"
ask head "{\"host\":\"127.0.0.1\",\"port\":${http##*:}}" >"$scratch/fetched"
check "it fetches" grep -q 'HTTP/1.1 200' "$scratch/fetched"
address=$MILLRACE_ADDRESS
kill_daemon
: >"$log"
millraced --config "$config" --data-dir "$data_dir" --grpc-address "$address" --http-address 127.0.0.1:0 \
  --store rocksdb >"$log" 2>&1 </dev/null &
daemon=$!
await "the daemon to be ready again" daemon_is_ready
check "it goes on with the next daemon" ask count-words '{"text":"a b"}'
kill -TERM "$worker"
worker_rc=0
wait "$worker" || worker_rc=$?
check "and ends in good order" test "$worker_rc" = 0
finish
