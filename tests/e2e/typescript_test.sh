#!/usr/bin/env bash
# The Node client: what is generated is what the protos say, it can be installed, and it does what its tests want
# against a real daemon. A worker of it goes on when the daemon is killed under it. Skipped where there is no Node 20 or
# no npm, or its packages cannot be had.
source "$(dirname "$0")/harness.sh"

command -v npm >/dev/null || skip "there is no npm"
node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || skip "there is no Node 20"

# From a copy: npm leaves its own folders beside the sources.
mkdir -p "$scratch/repo/client" "$scratch/app"
cp -r "$repo/proto" "$scratch/repo/"
(cd "$repo/client/typescript" && tar --exclude=node_modules --exclude=dist -cf - .) |
  (mkdir "$scratch/repo/client/typescript" && cd "$scratch/repo/client/typescript" && tar -xf -)
cd "$scratch/app"
echo '{ "name": "app", "version": "1.0.0", "type": "module" }' >package.json
timeout 250 npm install --no-audit --no-fund "$scratch/repo/client/typescript" >"$scratch/npm.log" 2>&1 || {
  if grep -q 'error TS' "$scratch/npm.log"; then
    cat "$scratch/npm.log"
    give_up "the TypeScript client does not compile"
  fi
  skip "packages of Node cannot be had: $(grep -v '^ *$' "$scratch/npm.log" | tail -n 1)"
}

echo "---- generated code"
check "generate.sh runs" "$scratch/repo/client/typescript/generate.sh"
for folder in proto src/v1; do
  check "client/typescript/$folder is what it makes" diff -r "$scratch/repo/client/typescript/$folder" \
    "$repo/client/typescript/$folder"
done

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
cp "$repo"/tests/client/typescript/{client_test,result_test,heartbeat_test,scripted_daemon}.mjs \
  "$repo/client/typescript/examples/worker.mjs" .
check "they pass" node --test client_test.mjs result_test.mjs heartbeat_test.mjs

echo "---- the example, killed and restarted under"
node worker.mjs "$MILLRACE_ADDRESS" >"$scratch/worker.log" 2>&1 </dev/null &
worker=$!
clean_up_more() { kill -KILL "$worker" 2>/dev/null || true; }
ask() { millrace --timeout 60 submit "$1" --payload "$2" --wait; }
counted=$(ask count-words '{"text":"the quick brown fox"}' | awk '{ print $3 }')
check "it counts words" test "$counted" = '{"words":4,"longest":"quick"}'
ask head "{\"url\":\"http://$http/healthz\"}" >"$scratch/fetched"
check "it fetches" grep -qw 200 "$scratch/fetched"
# shellcheck disable=SC2016  # the backquotes are those of Markdown
sed -n '/^```js/,/^```$/p' "$repo/client/typescript/README.md" | grep -v '^```' |
  sed "s/127\.0\.0\.1:7070/$MILLRACE_ADDRESS/" >readme.mjs
check "README.md's program gets its result" test "$(node readme.mjs)" = "{ words: 4, longest: 'quick' }"
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
