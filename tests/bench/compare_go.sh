#!/usr/bin/env bash
# Our runtime beside Go's, on the same programs: bench/runtime and bench/go, in turns, each run a process of its own,
# with as many processors for both. Prints medians and Go's time as a multiple of ours: above 1, ours is faster. What is
# measured is measured on this machine alone, which should do nothing else meanwhile.
#
#   tests/bench/compare_go.sh [-r RUNS] [-p "PROCS..."] [NAME...]     default: 5 runs, 1 and 2 processors, all names
#   tests/bench/compare_go.sh -r 1 -p 2 spawn_wait park_1m
#
# Exit code 0 whatever the ratios are; 1: a run failed (its line says so); 2: something to compare is missing.
set -euo pipefail
command="$0 $*"
cd "$(dirname "$0")/../.."
ours=build/bin/runtime_bench theirs=build/bin/go_bench
export GOTOOLCHAIN=local GOPROXY=off  # Nothing is fetched.

die() {
  echo "compare_go: $*" >&2
  exit 2
}

runs=5 procs_list="1 2"
while getopts r:p: option; do
  case $option in
    r) runs=$OPTARG ;;
    p) procs_list=$OPTARG ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' tests/bench/compare_go.sh >&2 && exit 2 ;;
  esac
done
shift $((OPTIND - 1))

go=$(PATH=$PATH:/usr/local/go/bin command -v go) || die \
  "Go is missing: there is neither a go in PATH nor /usr/local/go/bin/go"
[[ -x $ours ]] || die \
  "$ours is missing; cmake --preset release && cmake --build --preset release --target runtime_bench"
"$go" -C tests/bench/go build -o "$PWD/$theirs" . || die "the Go programs do not build"
mapfile -t known < <("$ours" --benchmark_list_tests | cut -d/ -f1)
names=("$@")
((${#names[@]} > 0)) || names=("${known[@]}")
for name in "${names[@]}"; do
  [[ " ${known[*]} " == *" $name "* ]] || die "no benchmark is called $name; there are ${known[*]}"
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# measure SIDE NAME PROCS: one run. Prints METRIC VALUE lines: ns for an item, and the counters. No run takes minutes
# unless it hangs.
measure() {
  if [[ $1 == ours ]]; then
    MILLRACE_PROCS=$3 timeout 120 "$ours" --benchmark_filter="^$2/" --benchmark_format=json 2>/dev/null | jq -er '
      .benchmarks[0] | if .error_occurred then error(.error_message) else . end
      | (if .items_per_second then "ns \(1e9 / .items_per_second)" else empty end),
        (to_entries[] | select(.key | test("_(each|us|ns|ms)$")) | "\(.key) \(.value)")'
  else
    GOMAXPROCS=$3 timeout 120 "$theirs" "$2" | tr ' ' '\n' | sed -n '/^procs=/d; s/=/ /p'
  fi
}

# sample SIDE NAME PROCS: one run, its metrics added to the files of that side.
sample() {
  local metric value
  if ! measure "$1" "$2" "$3" >"$scratch/metrics"; then
    echo "$2 on $3 processors: a run of $1 failed" >&2
    failed=1
    return
  fi
  while read -r metric value; do
    echo "$value" >>"$scratch/$metric.$1"
  done <"$scratch/metrics"
}

median() {
  if [[ ! -f $1 ]]; then
    echo -
  else
    sort -g "$1" | awk '{ v[NR] = $1 } END { printf "%.1f\n", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
  fi
}

# One line for each metric of one benchmark.
report() {
  local metric mine gos label
  for metric in ns pingpong_ns p50_us p99_us total_ms bytes_each; do
    [[ -f $scratch/$metric.ours || -f $scratch/$metric.theirs ]] || continue
    mine=$(median "$scratch/$metric.ours") gos=$(median "$scratch/$metric.theirs")
    label=$1
    [[ $metric == ns ]] || label="$1 $metric"
    awk -v label="$label" -v procs="$2" -v mine="$mine" -v gos="$gos" 'BEGIN {
      ratio = mine == "-" || gos == "-" || mine <= 0 ? "-" : sprintf("%.2f", gos / mine)
      printf "%-28s | %5s | %14s | %14s | %6s\n", label, procs, mine, gos, ratio
    }'
  done
}

echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
echo "commit    $(git describe --always --dirty 2>/dev/null || echo unknown)"
echo "go        $("$go" env GOVERSION)"
echo "command   $command"
echo "medians of $runs runs in turns; ns is for one item, other units are in the name"
echo
printf '%-28s | %5s | %14s | %14s | %6s\n' name procs "ours ns" "Go ns" ratio
for name in "${names[@]}"; do
  for procs in $procs_list; do
    rm -f "$scratch"/*
    for ((run = 0; run < runs; ++run)); do
      # Who goes first changes, so that neither always runs on the warmer machine.
      order=(ours theirs)
      ((run % 2 == 0)) || order=(theirs ours)
      for side in "${order[@]}"; do sample "$side" "$name" "$procs"; done
    done
    report "$name" "$procs"
  done
done
exit $failed
