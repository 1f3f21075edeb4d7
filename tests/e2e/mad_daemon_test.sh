#!/usr/bin/env bash
# The workers of Python, Go and Node against a daemon that says anything, by seeds that are printed: leases twice, ends
# of nothing, numbers beyond all measure, bytes that are no message. Each lives on, keeps and loses nothing, and runs
# good jobs then. The library of C++ has client/worker_fuzz_test.cc.
source "$(dirname "$0")/harness.sh"
# shellcheck source=tests/support/any_worker.sh
source "$repo/tests/support/any_worker.sh"

make_workers
for language in "${languages[@]}"; do
  check "the worker of $language is still of use" "$python" "$repo/tests/support/mad_daemon.py" \
    "$scratch/${language}_worker" work wide
  grep 'MILLRACE_SEED' "$out" || true
done
finish
