#!/usr/bin/env bash
# Old and new together: workers and the command of today speak with the daemon of today through a proxy
# (tests/support/old_peer.py) that knows only the protocol as it was first, so that each end has an old peer. Jobs run
# and end once; what the old end does not know is ignored where that does no harm, and else refused by name.
source "$(dirname "$0")/harness.sh"
# shellcheck source=tests/support/any_worker.sh
source "$repo/tests/support/any_worker.sh"

make_workers
write_config <<TOML
[jobs]
payload_bytes_max = "8MiB"

[pool.remote]
runner = "remote"
TOML
start_daemon
direct=$MILLRACE_ADDRESS

"$python" "$repo/tests/support/old_peer.py" "$scratch" "$direct" >"$scratch/old" 2>"$scratch/old.log" </dev/null &
proxy=$!
disown "$proxy"  # Bash would tell of its end.
workers=()
clean_up_more() {
  kill -KILL "$proxy" "${workers[@]}" 2>/dev/null || true
  (($1 == 0)) || tail -n 20 "$scratch"/*.log
}
await "the old peer" test -s "$scratch/old"
old=$(<"$scratch/old")

# start_worker ADDRESS KIND...: of $language; its words are in $words.
start_worker() {
  local address=$1
  shift
  words=$scratch/$language.$1.log
  "$scratch/${language}_worker" "$@" "$address" >"$words" 2>&1 </dev/null &
  workers+=($!)
}

end_workers() {
  local rc=0 each
  for each in "${workers[@]}"; do
    kill -TERM "$each"
    wait "$each" || rc=$?
  done
  workers=()
  return "$rc"
}

through_old() { millrace --timeout 100 --address "$old" "$@"; }
files=("$scratch"/file.{1..40})
for i in {1..40}; do echo "file $i" >"$scratch/file.$i"; done
head -c 5000000 /dev/zero >"$scratch/large"
head -c 500000 /dev/zero >"$scratch/apart"  # In its lease where the worker reads none apart.

# submit_all KIND [FLAG...]: a job for each file, in $out.
submit_all() { through_old submit "$1" --file "${files[@]}" --wait --json "${@:2}"; }
all_succeeded_at_once() {
  [[ $(jq -r '"\(.state) \(.attempts) \(.resultText | sub("[0-9]+\n"; ""))"' "$out" | sort | uniq -c | xargs) == \
    '40 SUCCEEDED 1 done file' ]]
}
each_ran_once() {
  [[ $(wc -l <"$RUNS") == 40 && $(sort -u "$RUNS" | wc -l) == 40 && $(grep -c ' 1$' "$RUNS") == 40 ]]
}
most() { jq -r .resultText "$out" | sort -n | tail -n 1; }
most_is_at_most() { [[ $(most) =~ ^[0-9]+$ && $(most) -le $1 ]]; }
# warned WORDS: once, in $words.
warned() { [[ $(grep -cF -- "$1" "$words") == 1 ]]; }
# fails WORDS KIND FLAG...: the job's one attempt fails, and its error has WORDS.
fails() {
  local told=$1
  shift
  ends_with 1 through_old submit "$1" --max-attempts 1 --wait --json "${@:2}" >"$scratch/failed" &&
    jq -r .error "$scratch/failed" | grep -F -- "$told"
}

echo "---- the command"
check "a job of the daemon's own" through_old submit sha256 --payload x --wait
check "a job whose worker nobody can require" through_old submit sha256 --payload x --require gpu=a100 --wait
refuses 10 'does not know this call; is it a millraced of this version' through_old workers list
check "the library of Python says so too" "$python" - "$old" <<'PYTHON'
import sys

import millrace

try:
    millrace.Client(sys.argv[1]).list_workers()
except millrace.MillraceError as error:
    assert error.reason == "UNIMPLEMENTED" and "upgrade the daemon" in str(error), error
else:
    raise AssertionError("it was answered")
PYTHON

for language in "${languages[@]}"; do
  echo "---- the worker of $language, and old peers"
  export RUNS=$scratch/$language.runs
  start_worker "$old" work save wide
  check "40 jobs" submit_all work
  check "all have succeeded, with one attempt each and the worker's result" all_succeeded_at_once
  check "none ran twice" each_ran_once
  check "a checkpoint is refused by name" fails 'keeps no checkpoints: upgrade the daemon' save --payload half
  check "a large payload is refused by name" fails 'capability payload_ref' work --file "$scratch/large"
  check "one of 500 kB is not" through_old submit work --file "$scratch/apart" --wait
  check "40 jobs that take 2 slots each" submit_all wide
  check "never took more than the worker's 4" most_is_at_most 4
  check "which was warned of costs" warned 'does not know the slots and at_once_max of kinds'
  check "and of silent handlers" warned 'does not know beat_within'
  check "it ends in good order" end_workers

  start_worker "$old" single
  check "40 jobs of a kind that runs once at a time" submit_all single
  check "ran so" most_is_at_most 1
  check "which was warned of" warned 'does not know the slots and at_once_max of kinds'
  check "it ends in good order" end_workers

  echo "---- the worker of $language, without"
  start_worker "$direct" work save wide
  check "a checkpoint is kept" through_old submit save --payload half --wait
  check "a large payload is read" through_old submit work --file "$scratch/apart" --wait
  check "40 jobs that take 2 slots each" submit_all wide
  check "never took more than the worker's 4" most_is_at_most 4
  check "of which nobody was warned" test ! -s "$words"
  check "it ends in good order" end_workers
done
finish
