#!/usr/bin/env bash
# A race between fibers that have nothing to do with each other is reported by a ThreadSanitizer build, whatever of the
# runtime both have used before, and its twin that takes a mutex is not.
#
#   check.sh KIND PROGRAM [SANITIZER]        SANITIZER as in MILLRACE_SANITIZE: address, thread or nothing
set -euo pipefail
kind=$1 program=$2 sanitizer=${3:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

complain() {
  echo "$kind $twin, $procs processors: $*"
  echo "exit code $code, stderr:" && cat "$scratch/err"
  exit 1
}

for procs in 1 2 8; do
  for twin in racy fixed; do
    code=0
    MILLRACE_PROCS=$procs "$program" "$kind" "$twin" 2>"$scratch/err" || code=$?
    if [[ $sanitizer == thread && $twin == racy ]]; then
      grep -q 'WARNING: ThreadSanitizer: data race' "$scratch/err" || complain "the race was not reported"
      grep -q 'races\.cc' "$scratch/err" || complain "another race than the one that was put there"
    else
      [[ ! -s $scratch/err && $code == 0 ]] || complain "nothing expected on stderr, and exit code 0"
    fi
  done
done
