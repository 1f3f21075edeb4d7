#!/usr/bin/env bash
# The Go client: its generated part is what the protos say, another module can use it, and it does what its tests want
# against a real daemon. A worker of it goes on when the daemon is killed under it. Skipped where there is no Go 1.23 or
# no protoc, or its modules cannot be had (tests/support/fetched_tools.sh).
source "$(dirname "$0")/harness.sh"
# shellcheck source=tests/support/fetched_tools.sh
source "$repo/tests/support/fetched_tools.sh"

export GOTOOLCHAIN=local GOFLAGS=-mod=mod
command -v protoc >/dev/null || skip "there is no protoc"
go version 2>/dev/null | grep -qE 'go1\.(2[3-9]|[3-9][0-9])' || skip "there is no Go 1.23"
fetch go-client-1 bash -ec "export GOBIN=\$PWD/bin
  go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6
  go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
  cd '$repo/tests/client/go' && go mod download all" || skip "modules of Go cannot be had: $why"

echo "---- generated code"
PATH=$cache/go-client-1/bin:$PATH "$repo/client/go/generate.sh" "$scratch/generated"
check "client/go/v1 is what generate.sh makes" diff -r "$scratch/generated/v1" "$repo/client/go/v1"
check "gofmt has nothing to say" test -z "$(gofmt -l "$repo/client/go" "$repo/tests/client/go")"

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
tests() (cd "$repo/tests/client/go" && go vet ./... && go test -count=1 -race ./...)
check "they pass" tests

echo "---- the example, killed and restarted under"
(cd "$repo/client/go" && go build -o "$scratch/example_worker" ./examples/worker)
"$scratch/example_worker" "$MILLRACE_ADDRESS" >"$scratch/worker.log" 2>&1 </dev/null &
worker=$!
clean_up_more() { kill -KILL "$worker" 2>/dev/null || true; }
ask() { millrace --timeout 60 submit "$1" --payload "$2" --wait; }
counted=$(ask count-words '{"text":"the quick brown fox"}' | awk '{ print $3 }')
check "it counts words" test "$counted" = '{"words":4,"longest":"quick"}'
mkdir "$scratch/shop"
# shellcheck disable=SC2016  # the backquotes are those of Markdown
sed -n '/^```go/,/^```$/p' "$repo/client/go/README.md" | grep -v '^```' |
  sed "s/127\.0\.0\.1:7070/$MILLRACE_ADDRESS/" >"$scratch/shop/main.go"
shop() (
  cd "$scratch/shop" && go mod init example.com/shop && go mod edit -require millrace@v0.0.0 \
    -replace "millrace=$repo/client/go" && go mod tidy && [[ $(go run .) == 4 ]]
)
check "README.md's program gets its result, in a module of its own" shop
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
