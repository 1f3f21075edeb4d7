#!/usr/bin/env bash
# Valgrind has nothing to say about a program of fibers on stacks of several sizes.
set -euo pipefail
bin=${MILLRACE_BIN:-$(cd "$(dirname "$0")/../.." && pwd)/build/bin}
command -v valgrind >/dev/null || {
  echo "valgrind_test: skipped, valgrind is not installed"
  exit 77
}
# Valgrind runs one thread at a time and, unless asked to be fair, may let one that yields in a loop keep its turn for
# ever.
said=$(timeout 120 valgrind -q --fair-sched=try --error-exitcode=9 "$bin/fiber_zoo" walk 2>&1) || {
  code=$?
  if ((code == 124)); then
    echo "valgrind_test: skipped, not through in two minutes; this machine is too busy for Valgrind"
    exit 77
  fi
  echo "valgrind_test: exit code $code"
  echo "$said"
  exit 1
}
[[ -z $said ]] || {
  echo "valgrind_test: $said"
  exit 1
}
echo "valgrind_test: silent"
