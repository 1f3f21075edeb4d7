#!/usr/bin/env bash
# What keeping jobs on disk costs, end to end: `millrace bench` against a daemon with the memory store and one with
# rocksdb and fsync, in turns, each run on a fresh daemon and folder (of TMPDIR). Prints jobs accepted a second, all of
# them executed, and the median of each. With --steady: how memory and disk stand while many jobs pass through one
# daemon.
#
#   tests/bench/compare_stores.sh [-r ROUNDS] [-w "WORKERS..."] [MODE...]
#       default: 3 rounds, 16 and 256 workers, stream and batch
#   tests/bench/compare_stores.sh --steady [JOBS [FLAG...]]                  default: 5,000,000; FLAG: of millrace bench
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=build/bin
daemon='' scratch=$(mktemp -d "${TMPDIR:-/tmp}/millrace-compare_stores.XXXXXX")
clean_up() {
  [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

# start WORKERS FLAG...: MILLRACE_ADDRESS leads to a new daemon.
start() {
  local workers=$1
  shift
  : >"$scratch/log"
  "$bin/millraced" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 "$@" >"$scratch/log" 2>&1 </dev/null &
  daemon=$!
  until MILLRACE_ADDRESS=$(sed -nE 's/.*gRPC on ([^ ,]+),.*/\1/p' "$scratch/log") && [[ -n $MILLRACE_ADDRESS ]]; do
    kill -0 "$daemon" || { cat "$scratch/log" && exit 1; }
    sleep 0.05
  done
  export MILLRACE_ADDRESS
  "$bin/millrace" pools resize default --workers "$workers" >"$scratch/resized"
}
stop() {
  kill "$daemon"
  wait "$daemon" || { tail "$scratch/log" && exit 1; }
  daemon=''
  rm -rf "$scratch/data"
}
# accepted FLAG...: jobs a second.
accepted() { "$bin/millrace" bench "$@" | sed -nE 's/^accepted +([0-9,]+) jobs.s.*/\1/p' | tr -d ,; }

model=$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | xargs)
echo "$model, $(nproc) processors, Linux $(uname -r), commit $(git rev-parse --short HEAD)"
if [[ ${1:-} == --steady ]]; then
  jobs=${2:-5000000}
  shift $(($# < 2 ? $# : 2))
  start 256 --data-dir "$scratch/data"
  for step in 1 2 3 4 5 6 7 8 9 10; do
    rate=$(accepted --mode batch --window 1000 --payload-bytes 100 --warmup 0 --jobs $((jobs / 10)) "$@")
    printf '%9d jobs: %s a second, resident %d MiB, at most %d MiB, disk %d MiB\n' $((jobs * step / 10)) "$rate" \
      $(($(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status") / 1024)) \
      $(($(awk '/^VmHWM/ { print $2 }' "/proc/$daemon/status") / 1024)) "$(du -sm "$scratch/data" | cut -f1)"
  done
  stop
  exit
fi

rounds=3 workers_list="16 256"
while getopts r:w: option; do
  case $option in
    r) rounds=$OPTARG ;;
    w) workers_list=$OPTARG ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' tests/bench/compare_stores.sh >&2 && exit 2 ;;
  esac
done
shift $((OPTIND - 1))
modes=("$@")
((${#modes[@]} > 0)) || modes=(stream batch)

for ((round = 0; round < rounds; ++round)); do
  for mode in "${modes[@]}"; do
    for workers in $workers_list; do
      start "$workers" --store memory
      accepted --mode "$mode" >>"$scratch/$mode.$workers.memory"
      stop
      start "$workers" --data-dir "$scratch/data"
      accepted --mode "$mode" >>"$scratch/$mode.$workers.rocksdb"
      stop
    done
  done
done
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }
for mode in "${modes[@]}"; do
  for workers in $workers_list; do
    memory=$(median "$scratch/$mode.$workers.memory") rocksdb=$(median "$scratch/$mode.$workers.rocksdb")
    printf '%-7s %4d workers: memory %7d, rocksdb with fsync %7d jobs/s, %d %%\n' "$mode" "$workers" "$memory" \
      "$rocksdb" \
      $((rocksdb * 100 / memory))
  done
done
