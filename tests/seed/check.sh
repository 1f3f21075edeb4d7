#!/usr/bin/env bash
# A program of this folder does what it does in Go, on 1, 2 and 8 processors: what it prints, line by line (in any order
# only where Go leaves the order open), what it says on stderr, its exit code.
#
#   check.sh NAME PROGRAM [SANITIZER]        SANITIZER as in MILLRACE_SANITIZE: address, thread or nothing
set -euo pipefail
name=$1 program=$2 sanitizer=${3:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

complain() {
  echo "$name, $procs processors: $*"
  echo "exit code $code, stdout:" && cat "$scratch/out"
  echo "stderr:" && cat "$scratch/err"
  exit 1
}

ends_with() { ((code == $1)) || complain "exit code $1 expected"; }
silent() { [[ ! -s $scratch/err ]] || complain "nothing expected on stderr"; }
says() { grep -qE "$1" "$scratch/err" || complain "expected on stderr: $1"; }

# prints LINE...: exactly these, in this order, and all is well.
prints() {
  printf '%s\n' "$@" | cmp -s - "$scratch/out" || complain "expected on stdout:" "$@"
  silent
  ends_with 0
}

deadlocks() {
  [[ ! -s $scratch/out ]] || complain "nothing expected on stdout"
  [[ $(head -n 1 "$scratch/err") == 'fatal error: all fibers are asleep - deadlock!' ]] ||
    complain "no fatal error in the first line"
  says 'channel send'  # what main waits for
  ends_with 2
}

# Some count, never more than was added; and in a build that looks for races, the race.
races() {
  if [[ $sanitizer == thread ]]; then
    says 'WARNING: ThreadSanitizer: data race'
    ((code != 0)) || complain "a race that was found must not end with 0"
  else
    silent
    ends_with 0
  fi
  [[ $(<"$scratch/out") =~ ^"final count: "([0-9]+)$ ]] || complain "one line with a count expected"
  ((BASH_REMATCH[1] >= 1 && BASH_REMATCH[1] <= 2000000)) || complain "a count of 1 to 2000000 expected"
}

# Who takes which job is open. Each job is taken once, and a worker prints what it takes in the order of the channel.
shares_jobs() {
  silent
  ends_with 0
  ! grep -vE '^worker [12] processing job [1-3]$' "$scratch/out" >"$scratch/odd" ||
    complain "not a worker's line: $(<"$scratch/odd")"
  [[ $(awk '{ print $5 }' "$scratch/out" | sort | xargs) == "1 2 3" ]] || complain "each job once expected"
  awk '$5 < last[$2] { bad = 1 } { last[$2] = $5 } END { exit bad }' "$scratch/out" ||
    complain "a worker took its jobs out of order"
}

for procs in 1 2 8; do
  code=0
  MILLRACE_PROCS=$procs "$program" >"$scratch/out" 2>"$scratch/err" || code=$?
  case $name in
    unbuffered_deadlock | deadlock_channel) deadlocks ;;
    race_example) races ;;
    waitgroup_workers) shares_jobs ;;
    buffered_no_deadlock) prints hello ;;
    race_fixed) prints 'final count: 2000000' ;;
    deadlock_fixed | channel_preferred) prints 42 ;;
    mutex_counter) prints 'Final count: 2000' ;;
    once_config) prints 'config initialized' 'config: loaded' 'config: loaded' 'config: loaded' ;;
    cond_waiter) prints 'Got item: 42' ;;
    *) echo "$name: check.sh does not know what it must print" && exit 1 ;;
  esac
done
