#!/usr/bin/env bash
# What is wrong gets one clear error that names the thing and the fix. The daemon keeps running; one that cannot start
# says why and exits with 2. Clients that vanish and children that misbehave leave nothing behind.
source "$(dirname "$0")/harness.sh"

big=$scratch/big
head -c 1100000 /dev/zero >"$big"
write_config <<TOML
[pool.files]
runner = "exec"
workers = 4
capacity = 8

[kind.wc]
pool = "files"
exec = ["/usr/bin/wc", "-c"]

[kind.ignores_term]
pool = "files"
exec = ["/bin/sh", "-c", "trap '' TERM; echo up > $scratch/ignoring; while :; do sleep 1; done"]

[kind.floods_stdout]
pool = "files"
exec = ["/usr/bin/head", "-c", "1G", "/dev/zero"]

[kind.floods_stderr]
pool = "files"
exec = ["/bin/sh", "-c", "exec head -c 1G /dev/zero >&2"]
TOML
start_daemon
descriptors() { find "/proc/$daemon/fd" -mindepth 1 | wc -l; }
alive() { daemon_runs && millrace pools list; }

echo "---- requests"
refuses 4 "nosuch" millrace submit wc --pool nosuch
refuses 4 "nosuch" millrace submit nosuch
refuses 2 "1048576|1 MiB" millrace submit wc --file "$big"
refuses 2 "no/such/file" millrace submit wc --file /no/such/file
refuses 2 "run-timeout" millrace submit wc --run-timeout=-5s
refuses 2 "run-timeout" millrace submit wc --run-timeout 5parsecs
refuses 2 "max.attempts" millrace submit wc --max-attempts 1000000
refuses 2 "max.attempts" millrace submit wc --max-attempts=-1
refuses 2 "delay" millrace submit wc --delay 1000000000h
refuses 2 "band" millrace submit wc --band urgent
refuses 2 "label" millrace submit wc --label novalue
refuses 2 "count" millrace submit wc --count 0
refuses 2 "bogus" millrace submit wc --bogus
refuses 2 "frobnicate" millrace frobnicate
refuses 2 "id" millrace jobs get not-an-id
refuses 2 "id" millrace jobs get ""
refuses 4 "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" millrace jobs get 7ZZZZZZZZZZZZZZZZZZZZZZZZZ
refuses 2 "filter" millrace jobs list --filter 'state ~ banana'
refuses 2 "workers" millrace pools resize files --workers=-1
refuses 2 "workers" millrace pools resize files --workers 2000000000
refuses 2 "capacity" millrace pools resize files --capacity-jobs=-1
refuses 4 "nosuch" millrace pools get nosuch
refuses 3 "127.0.0.1:1" millrace --address 127.0.0.1:1 --timeout 10s pools list
refuses 2 "address" millrace --address non:sense pools list

echo "---- bytes that are no request at all"
garbage() {
  local host=${1%:*} port=${1##*:}
  { head -c 65536 /dev/urandom >"/dev/tcp/$host/$port"; } 2>/dev/null || true
}
garbage "$MILLRACE_ADDRESS"
garbage "$http"
check "the daemon lives" alive
check "an unknown page is 404" test "$(curl -s -o /dev/null -w '%{http_code}' "http://$http/nosuch")" = 404
check "only GET and HEAD are answered" test \
  "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "http://$http/metrics")" = 405

# rpc METHOD REQUEST_TYPE: the request as text on stdin, sent as any gRPC client would; the answer's headers and
# trailers.
rpc() {
  local body=$scratch/body size
  protoc -I "$repo/proto" --encode="millrace.v1.$2" millrace/v1/job_service.proto >"$body"
  size=$(stat -c %s "$body")
  # The frame before a message: not compressed, and the length in four bytes.
  {
    printf '%b' "$(printf '\\x%02x' 0 $((size >> 24 & 255)) $((size >> 16 & 255)) $((size >> 8 & 255)) $((size & 255)))"
    cat "$body"
  } |
    curl -sS --max-time 60 --http2-prior-knowledge -o /dev/null -D - --data-binary @- \
      -H 'content-type: application/grpc' \
      -H 'te: trailers' "http://$MILLRACE_ADDRESS/millrace.v1.JobService/$1"
}
# answers STATUS WORDS METHOD TYPE TEXT
answers() {
  checks=$((checks + 1))
  if rpc "$3" "$4" <<<"$5" >"$out" 2>"$err" && has "$out" "^grpc-status: $1" && has "$out" "$2"; then
    echo "ok      status $1 for $4 { ${5:0:80} }"
  else
    failures=$((failures + 1))
    echo "FAILED  wanted status $1 and words like '$2' for $4 { $5 }"
    sed 's/^/        /' "$out" "$err"
  fi
}
echo "---- requests that the command would not send"
answers 3 page_token ListJobs ListJobsRequest 'page_token: "not-a-token"'
answers 3 page_token ListJobs ListJobsRequest "page_token: \"$(printf 'A%.0s' {1..3000})\""
answers 3 page_size ListJobs ListJobsRequest 'page_size: -1'
answers 3 "id" GetJob GetJobRequest "id: \"$(printf 'Z%.0s' {1..26})\""
answers 3 kind SubmitJob SubmitJobRequest 'spec { kind: "" }'
answers 3 run_timeout SubmitJob SubmitJobRequest 'spec { kind: "wc" run_timeout { seconds: -1 } }'
answers 3 delay SubmitJob SubmitJobRequest 'spec { kind: "wc" delay { seconds: 315576000001 } }'
answers 3 max_attempts SubmitJob SubmitJobRequest 'spec { kind: "wc" retry { max_attempts: -3 } }'
answers 3 backoff_multiplier SubmitJob SubmitJobRequest 'spec { kind: "wc" retry { backoff_multiplier: nan } }'
answers 3 filter CancelJobs CancelJobsRequest 'filter: ""'
answers 3 requests BatchSubmitJobs BatchSubmitJobsRequest ''
answers 3 request_id SubmitJob SubmitJobRequest "spec { kind: \"wc\" } request_id: \"$(printf 'r%.0s' {1..129})\""
check "the daemon lives" alive

echo "---- a daemon that cannot start"
refuse_start() { refuses 2 "$@"; }
bad=$scratch/bad.toml
fresh=(millraced --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 --data-dir "$scratch/fresh")
printf '[pool.a]\nworkres = 3\n' >"$bad"
refuse_start 'bad.toml:2.*workres.*workers' "${fresh[@]}" --config "$bad"
printf '[pool.a]\nworkers = -3\n' >"$bad"
refuse_start 'bad.toml:2.*workers' "${fresh[@]}" --config "$bad"
printf '[pool.a\nworkers = 3\n' >"$bad"
refuse_start 'bad.toml:1' "${fresh[@]}" --config "$bad"
printf '[kind.x]\npool = "nosuch"\nexec = ["/bin/true"]\n' >"$bad"
refuse_start 'nosuch' "${fresh[@]}" --config "$bad"
refuse_start '/no/such/file' "${fresh[@]}" --config /no/such/file
refuse_start 'bogus' "${fresh[@]}" --bogus
refuse_start "$MILLRACE_ADDRESS" millraced --grpc-address "$MILLRACE_ADDRESS" --http-address 127.0.0.1:0 \
  --data-dir "$scratch/fresh"
refuse_start "$http" millraced --grpc-address 127.0.0.1:0 --http-address "$http" --data-dir "$scratch/fresh"
refuse_start "$big" millraced --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 --data-dir "$big/folder"
ln -s "$scratch/nowhere" "$scratch/dangling"
refuse_start 'dangling is a link to .*/nowhere, which is not there' millraced --grpc-address 127.0.0.1:0 \
  --http-address 127.0.0.1:0 --data-dir "$scratch/dangling"
refuse_start 'procs' "${fresh[@]}" --procs=-4
refuse_start 'insecure' millraced --grpc-address 0.0.0.0:0 --http-address 127.0.0.1:0 --data-dir "$scratch/fresh"

echo "---- children that misbehave"
before=$(descriptors)
children() { pgrep -P "$daemon" || true; }
no_children() { [[ -z $(children) ]]; }

id=$(millrace submit ignores_term --run-timeout 300ms --max-attempts 1)
refuses 1 "" millrace --timeout 100s jobs wait "$id"
check "a child that ignores TERM is ended by its timeout" has <(millrace --json jobs get "$id") TIMED_OUT
rm -f "$scratch/ignoring"
id=$(millrace submit ignores_term)
await "the child to run" test -s "$scratch/ignoring"
check "cancel of a child that ignores TERM" millrace jobs cancel "$id"
refuses 7 "" millrace --timeout 100s jobs wait "$id"

id=$(millrace submit floods_stdout --max-attempts 1)
refuses 1 "" millrace --timeout 100s jobs wait "$id"
check "a result of 1 GB is refused by its size" has <(millrace --json jobs get "$id") '1048576|1 MiB'
id=$(millrace submit floods_stderr --max-attempts 1)
check "a child may write 1 GB of log" millrace --timeout 100s jobs wait "$id"
check "its newest 64 KiB are kept and all of it is counted" has <(millrace --json jobs get "$id") \
  '"logBytes":1073741824'
await "no child, nor its remains, to be left" no_children
peak_mb=$(awk '/^VmHWM:/ { print int($2 / 1024) }' "/proc/$daemon/status")
check "the daemon's memory stayed flat (peak $peak_mb MB)" test "$peak_mb" -lt 400

echo "---- a client that vanishes in the middle of a stream"
check "pause" millrace pools pause files
millrace submit wc --payload x --count 100000 --window 64 >/dev/null 2>&1 &
client=$!
pool_is_full() { [[ $(metric 'millrace_pool_queue_jobs{pool="files",band="normal"}') == 8 ]]; }
await "the pool to be full" pool_is_full
kill -KILL "$client"
wait "$client" 2>/dev/null || true
nobody_waits() { millrace --json pools get files | jq -e '.waitingSubmits == 0'; }
await "its waiting submits to be dropped" nobody_waits
check "resume" millrace pools resume files
pool_is_empty() { [[ $(metric 'millrace_pool_queue_jobs{pool="files",band="normal"}') == 0 ]]; }
await "what it had submitted to be done" pool_is_empty

no_leak() { (($(descriptors) <= before)); }
await "every descriptor to be closed again" no_leak
check "the daemon lives" alive
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
finish
