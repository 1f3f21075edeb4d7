#!/usr/bin/env bash
# A folder includes only folders it builds on, and a heavy library is included only where it belongs.
#
# What builds on what is read from the millrace_library lines of CMakeLists.txt, so there is one place to say it. A
# source file must not reach a library of the table in layers.awk through the headers of another folder either: that is
# what keeps gRPC and Asio out of everybody's compile time. Before the tree is judged, the judge is: each kind of
# violation, planted in a copy, must be found.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

check() {
  (cd "$1" && find server client -name '*.h' -o -name '*.cc' | sort | xargs awk -f "$here/tests/layers.awk")
}

# catches WHAT FILE LINE [FILE LINE]: a copy of the tree with each LINE added to its FILE must be refused, naming the
# last FILE.
catches() {
  local what=$1 file line words
  rm -rf "${copy:?}"/*
  cp -r CMakeLists.txt server client "$copy"
  shift
  while (($#)); do
    file=$1 line=$2
    mkdir -p "$copy/$(dirname "$file")"
    printf '%s\n' "$line" >>"$copy/$file"
    shift 2
  done
  if words=$(check "$copy") || ! grep -q "^$file:" <<<"$words"; then
    echo "layers_test: not caught: $what ($file: $line)"
    exit 1
  fi
}

catches "a folder above" server/base/status.h '#include "dispatch/pool.h"'
catches "a neighbour it does not build on" server/io/planted.h '#include "job/job.h"'
catches "a client that knows the server" client/planted.h '#include "dispatch/pool.h"'
catches "a command that knows the server" client/cli/planted.h '#include "store/tools/inspect.h"'
catches "an administrator who runs what is only to be read" client/admin/planted.h '#include "runtime/runtime.h"'
catches "a library out of its folder" server/dispatch/planted.cc '#include <grpcpp/grpcpp.h>'
catches "a library out of the inner folder that it belongs in" server/store/planted.cc '#include <rocksdb/db.h>'
catches "a folder above, by a header that lies deeper" server/dispatch/planted.cc '#include "store/rocks/rocks_disk.h"'
catches "an engine of the store beside the door" server/store/planted.cc '#include "store/rocks/rocks_disk.h"'
catches "generated code out of its folder" server/web/planted.cc '#include "millrace/v1/job.pb.h"'
catches "a library through another folder's header" \
  server/metrics/planted.h '#include <prometheus/registry.h>' \
  server/planted.cc '#include "metrics/planted.h"'

if ! check .; then
  echo "layers_test: see server/README.md for what builds on what"
  exit 1
fi
echo "layers_test: every folder keeps to its place"
