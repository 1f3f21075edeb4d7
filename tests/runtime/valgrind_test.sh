#!/usr/bin/env bash
# Valgrind has nothing to say about a program of fibers on stacks of several sizes.
set -euo pipefail
bin=${MILLRACE_BIN:-$(cd "$(dirname "$0")/../.." && pwd)/build/bin}
command -v valgrind >/dev/null || {
  echo "valgrind_test: skipped, valgrind is not installed"
  exit 77
}
said=$(valgrind -q --error-exitcode=9 "$bin/fiber_zoo" walk 2>&1) || {
  echo "valgrind_test: exit code $?"
  echo "$said"
  exit 1
}
[[ -z $said ]] || {
  echo "valgrind_test: $said"
  exit 1
}
echo "valgrind_test: silent"
