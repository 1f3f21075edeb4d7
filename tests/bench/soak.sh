#!/usr/bin/env bash
# A mixed load on one daemon for a long time: what it holds of memory, descriptors, threads and fibers must stay flat.
# Jobs are submitted in all ways (stream, unary, batch; small and large), run as programs, cancelled, failed, retried,
# deleted, watched and listed, while pools are resized. Prints a sample a line, and a verdict: the last third of the run
# against the one before. By hand, on loopback.
#
#   tests/bench/soak.sh [--minutes N] [--every SECONDS] [--bin DIR] [--preload LIBRARY]
#     --minutes   how long, 30 by default; less than 3 says little
#     --every     between two samples, 10 seconds by default
#     --preload   a library for the daemon alone, such as another allocator
#
# Exit code 0: flat; 1: something grew; 2: it could not be run.
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=30 every=10 bin=build/bin preload=
while (($# > 1)); do
  case $1 in
    --minutes) minutes=$2 ;;
    --every) every=$2 ;;
    --bin) bin=$2 ;;
    --preload) preload=$2 ;;
    *) break ;;
  esac
  shift 2
done
(($# == 0)) || {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2
  exit 2
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/millrace-soak.XXXXXX")
daemon='' loads=()
clean_up() {
  touch "$scratch/stop"
  for load in "${loads[@]}"; do wait "$load" 2>/dev/null || true; done
  [[ -z $daemon ]] || { kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null; } || true
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# What is kept is little, so that it is full early and whatever grows later is not what is kept.
cat >"$scratch/config.toml" <<'TOML'
[jobs]
finished_jobs_max = 5000
finished_bytes_max = "32MiB"
dead_letter_jobs_max = 1000
[pool.programs]
runner = "exec"
workers = 4
[kind.cat]
pool = "programs"
exec = ["sh", "-c", "cat; (sleep 0.1 &) ; echo log >&2"]
TOML
head -c 300000 /dev/urandom >"$scratch/large"
: >"$scratch/log"
LD_PRELOAD=$preload "$bin/millraced" --config "$scratch/config.toml" --data-dir "$scratch/data" --ack interval \
  --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 >"$scratch/log" 2>&1 </dev/null &
daemon=$!
until MILLRACE_ADDRESS=$(sed -nE 's/.*gRPC on ([^ ,]+),.*/\1/p' "$scratch/log") && [[ -n $MILLRACE_ADDRESS ]]; do
  kill -0 "$daemon" || { cat "$scratch/log" && exit 2; }
  sleep 0.05
done
export MILLRACE_ADDRESS
http=$(sed -nE 's/.*HTTP on ([^ ,]+),.*/\1/p' "$scratch/log")

# load NAME: calls the function again and again until the end. A refusal (full, nothing selected) is part of the load.
load() {
  while [[ ! -e $scratch/stop ]]; do "$1" >"$scratch/$1.out" 2>&1 || echo "$1" >>"$scratch/refused"; done
}
m() { timeout 60 "$bin/millrace" "$@"; }
streams() {
  m bench --jobs 3000 --warmup 0 --samples 10 --mode stream --payload-bytes "$((RANDOM % 4000))"
  m bench --jobs 1000 --warmup 0 --samples 10 --mode unary --window 32 --kind echo --payload-bytes 2000 --request-ids
  m bench --jobs 2000 --warmup 0 --samples 10 --mode batch --on-full reject
}
large() { m submit echo --file "$scratch/large" --count 40 --wait; }
programs() { m submit cat --file "$scratch/large" --count 20 --wait; }
ends() {
  m submit sleep --payload 1h --delay 1h --count 100 --label soak=delayed
  m submit sleep --payload 1h --count 8 --label soak=running
  m jobs cancel --kind sleep --yes
  m submit fail --payload no --max-attempts 1 --count 100 --label soak=failed --wait || true
  m jobs retry --state failed --yes
  m jobs delete --state failed --yes
  m jobs delete --state cancelled --yes
}
looks() {
  m jobs list
  m --json jobs list --state succeeded
  m pools list
  curl -fsS "http://$http/metrics"
  timeout 2 "$bin/millrace" jobs watch --kind echo || true
  m pools resize default --workers "$((RANDOM % 60 + 4))"
}
for each in streams large programs ends looks; do
  load "$each" &
  loads+=($!)
done

metric() { curl -fsS "http://$http/metrics" | awk -v name="$1" \
  'index($1, name) == 1 { sum += $2 } END { printf "%d", sum }'; }
resident() { echo $(($(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status") / 1024)); }
commit=$(git rev-parse --short HEAD)
echo "$(nproc) processors, Linux $(uname -r), commit $commit, $minutes minutes${preload:+, $preload}"
echo "  SECONDS  RESIDENT-MIB  DESCRIPTORS  THREADS  FIBERS  JOBS-DONE  KEPT"
end=$((SECONDS + minutes * 60)) begun=$SECONDS
sample() {
  printf '%9d  %12d  %11d  %7d  %6d  %9d  %4d\n' $((SECONDS - begun)) "$(resident)" \
    "$(find "/proc/$daemon/fd" -mindepth 1 | wc -l)" "$(find "/proc/$daemon/task" -mindepth 1 -maxdepth 1 | wc -l)" \
    "$(metric 'millrace_scheduler_fibers{')" "$(metric millrace_jobs_finished_total)" "$(metric 'millrace_jobs{')"
}
while ((SECONDS < end)); do
  sleep "$every"
  sample | tee -a "$scratch/samples"
done
touch "$scratch/stop"
for each in "${loads[@]}"; do wait "$each"; done
loads=()
sleep 5
echo "    at rest:"
sample
grep -c . "$scratch/refused" 2>/dev/null | sed 's/$/ rounds of a load met a refusal/' || true
grep -E ' (warning|error) ' "$scratch/log" 2>/dev/null | cut -c 26- | sort | uniq -c | sort -rn | head -n 5 || true

# The greatest of the last third must not be much more than the greatest of the third before.
awk '
  { for (i = 1; i <= 5; i++) value[NR, i] = $i }
  END {
    split("seconds resident descriptors threads fibers", name)
    room[2] = 0.1; room[3] = 0.2; room[4] = 0.2; room[5] = 0.3
    least[2] = 64; least[3] = 64; least[4] = 8; least[5] = 64
    third = int(NR / 3)
    if (third < 1) { print "verdict: too few samples"; exit 2 }
    for (i = 2; i <= 5; i++) {
      before = after = 0
      for (n = third + 1; n <= 2 * third; n++) if (value[n, i] > before) before = value[n, i]
      for (n = 2 * third + 1; n <= NR; n++) if (value[n, i] > after) after = value[n, i]
      allowed = before + (before * room[i] > least[i] ? before * room[i] : least[i])
      printf "%-12s at most %d, then %d: %s\n", name[i], before, after, after <= allowed ? "flat" : "GROWS"
      if (after > allowed) bad = 1
    }
    print "verdict: " (bad ? "something grows" : "flat")
    exit bad
  }' "$scratch/samples"
