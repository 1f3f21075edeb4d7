#!/usr/bin/env bash
# The main job, on real input: one exec job (gzip -9) and one native job (sha256) for each of many files of this
# machine, every result checked against the file and sha256sum, and what /metrics says of it.
#
#   deploy/main_job.sh FILES HTTP_ADDRESS DIR      against the daemon at MILLRACE_ADDRESS, whose kinds are those of
#                                                  config.example.toml; DIR gets the lists and the results
#
# deploy/run.sh ends with it. Exit code 0: all is well; 1: a result was wrong; 2: it could not be done.
set -euo pipefail
export LC_ALL=C  # Numbers with a point, one order of names.
files=$1 http=$2 folder=$3
mkdir -p "$folder"

say() { printf '\n==== %s\n' "$*"; }

say "looking for $files files under /usr/share"
# The files are spread evenly over what is there, in an order that does not change. Their names need no quoting in
# lists, and none is larger than a payload may be.
{ find /usr/share -type f -readable -size +0 -size -1024k 2>/dev/null || true; } |
  grep -xE '[[:alnum:]/._+@:~-]+' | sort >"$folder/all"
found=$(wc -l <"$folder/all")
if ((found < files)); then
  echo "main_job.sh: only $found suitable files are there; ask for fewer" >&2
  exit 2
fi
awk -v wanted="$files" -v found="$found" 'int(NR * wanted / found) > taken { taken++; print }' \
  "$folder/all" >"$folder/files"
total_bytes=$(xargs -d '\n' cat <"$folder/files" | wc -c)
echo "$(wc -l <"$folder/files") of $found, $((total_bytes / 1024)) KiB"

scrape() { curl -fsS "http://$http/metrics"; }
# gain NAME LABEL BEFORE AFTER: by how much it grew between two scrapes.
gain() { awk -v from="$(sum "$1" "$2" <<<"$3")" -v to="$(sum "$1" "$2" <<<"$4")" 'BEGIN { print to - from }'; }
# sum NAME [LABEL]: over the samples on stdin whose labels hold LABEL.
sum() {
  awk -v name="$1" -v label="${2:-}" \
    'index($1, name "{") == 1 || $1 == name { if (index($1, label)) s += $2 } END { print s + 0 }'
}

# work KIND POOL: runs one job for each file, and adds a line to the table at the end. Efficiency is computed from the
# counters over the work itself; the gauges of the same names look at the last minute.
table=()
work() {
  local kind=$1 pool=$2 label="pool=\"$2\"" sampler before after seconds workers useful lost
  : >"$folder/depths"
  while scrape | sum millrace_pool_queue_jobs "$label" >>"$folder/depths"; do sleep 0.05; done &
  sampler=$!
  before=$(scrape) seconds=$EPOCHREALTIME
  millrace submit "$kind" --files-from "$folder/files" --wait --json >"$folder/$kind.jsonl" ||
    echo "millrace submit says that not every job succeeded"
  after=$(scrape) seconds=$(awk -v from="$seconds" -v to="$EPOCHREALTIME" 'BEGIN { print to - from }')
  kill "$sampler" 2>/dev/null || true
  wait "$sampler" 2>/dev/null || true

  workers=$(sum millrace_pool_workers "$label" <<<"$after")
  useful=$(gain millrace_pool_useful_seconds_total "$label" "$before" "$after")
  lost=$(gain millrace_pool_lost_seconds_total "$label" "$before" "$after")
  table+=("$(awk -v pool="$pool" -v workers="$workers" -v t="$seconds" -v useful="$useful" -v lost="$lost" \
    -v finished="$(gain millrace_jobs_finished_total "$label" "$before" "$after")" \
    -v depth="$(sort -n "$folder/depths" | tail -n 1)" \
    -v left="$(sum millrace_pool_queue_jobs "$label" <<<"$after")" 'BEGIN {
      printf "%-10s %8d %8.2f %8d %8d %8d %8.2f %11.2f %12.2f", pool, finished, t, depth, left, workers, useful / t,
        useful / t / workers, (useful + lost) / t / workers }')")
}

before=$(scrape)
say "gzip -9 of each file: one exec job each"
work gzip programs
tail -n 1 "$folder/gzip.jsonl" | jq -cM '.resultBase64 |= (.[0:24] + "...")'
say "SHA-256 of each file: one native job each"
work sha256 default
tail -n 1 "$folder/sha256.jsonl"
after=$(scrape)

# ---- Check

say "checking every result"
wrong=0
good=0 packed=0
jq -r '[.file, .state, .resultBase64 // "-", .error // "-"] | @tsv' "$folder/gzip.jsonl" >"$folder/gzip.tsv"
while IFS=$'\t' read -r file job_state result error; do
  if [[ $job_state == SUCCEEDED ]] && base64 -d <<<"$result" >"$folder/result.gz" &&
    gunzip -c "$folder/result.gz" | cmp -s - "$file"; then
    good=$((good + 1)) packed=$((packed + $(stat -c %s "$folder/result.gz")))
  else
    echo "WRONG: gzip of $file: $job_state $error"
  fi
done <"$folder/gzip.tsv"
((good == files)) || wrong=1
echo "gzip    $good of $files unpack to the original; $((total_bytes / 1024)) KiB became $((packed / 1024)) KiB"

jq -r 'select(.state == "SUCCEEDED") | "\(.resultText | rtrimstr("\n"))  \(.file)"' "$folder/sha256.jsonl" |
  sort >"$folder/digests"
xargs -d '\n' sha256sum <"$folder/files" | sort >"$folder/expected"
good=$(comm -12 "$folder/digests" "$folder/expected" | wc -l)
if ((good != files)); then
  wrong=1
  comm -13 "$folder/digests" "$folder/expected" | sed 's/^/WRONG or missing: /'
fi
echo "sha256  $good of $files digests are those of sha256sum"

say "what http://$http/metrics says of it"
printf '%-10s %8s %8s %8s %8s %8s %8s %11s %12s\n' \
  POOL JOBS SECONDS DEEPEST QUEUED WORKERS SPEEDUP EFFICIENCY UTILIZATION
printf '%s\n' "${table[@]}"
cat <<'WORDS'
DEEPEST is the queue depth at its greatest, as far as seen, QUEUED the one now. SPEEDUP is useful worker time / time,
EFFICIENCY the same for each worker, UTILIZATION the share of worker time spent on jobs, usefully or not.

WORDS
for kind in voluntary preempted handoff; do
  name=millrace_scheduler_context_switches_total label="kind=\"$kind\""
  printf 'context switches, %-10s %9.0f, of which %.0f for this work\n' "$kind:" "$(sum $name "$label" <<<"$after")" \
    "$(gain $name "$label" "$before" "$after")"
done
printf 'fibers stolen from another processor: %.0f times\n' "$(sum millrace_scheduler_steals_total <<<"$after")"
if ((wrong)); then
  printf '\nmain_job.sh: some results are wrong, see above\n' >&2
  exit 1
fi
