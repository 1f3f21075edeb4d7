# Sourced by the tests of e2e/ that do the same with a worker of each language (tests/client/*/any_worker*).
#
#   make_workers    sets $python, whose environment has grpcio, grpcio-tools and this tree's package, and $languages to
#                   those that can be had; the others are told. Without Python the test is skipped. Each is a program:
#
#   "$scratch/LANGUAGE_worker" KIND... ADDRESS       4 slots; SIGTERM ends it. Its kinds:
#     work      saves a checkpoint, if the daemon keeps such, and returns "done " and its payload; with $RUNS it adds
#               its job and attempt to that file
#     save      fails where its checkpoint is refused
#     wide      takes 2 slots, and may be silent for an hour; returns the most slots that were taken at once so far
#     single    runs once at a time; returns the same
# shellcheck shell=bash disable=SC2154
# ($repo and $scratch are those of e2e/harness.sh.)
# shellcheck source=tests/support/fetched_tools.sh
source "$repo/tests/support/fetched_tools.sh"
languages=(python)
python=

make_workers() {
  python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
    skip "there is no Python 3.9 with venv"
  # As in e2e/python_test.sh.
  fetch python-client-2 bash -c 'python3 -m venv env &&
  env/bin/pip install -q setuptools wheel grpcio grpcio-tools==1.62.3 googleapis-common-protos' ||
    skip "packages of Python cannot be had: $why"
  python=$cache/python-client-2/env/bin/python
  export PYTHONPATH=$repo/client/python PYTHONDONTWRITEBYTECODE=1
  program python "$python" "$repo/tests/client/python/any_worker.py"
  for each in go node; do
    if "make_$each"; then languages+=("$each"); else echo "left out: the worker of $each, $why"; fi
  done
}

# program LANGUAGE COMMAND...
program() {
  local file=$scratch/$1_worker
  shift
  printf '#!/usr/bin/env bash\nexec %s "$@"\n' "${*@Q}" >"$file"
  chmod +x "$file"
}

make_go() {
  local at=$repo/tests/client/go
  export GOTOOLCHAIN=local GOFLAGS=-mod=mod
  why='there is no Go 1.23'
  go version 2>/dev/null | grep -qE 'go1\.(2[3-9]|[3-9][0-9])' || return
  why='its modules cannot be had'
  (cd "$at" && timeout 200 go mod download all) >"$scratch/go.log" 2>&1 || return
  (cd "$at" && go build -o "$scratch/go_worker" ./any_worker) || give_up "the worker of Go does not compile"
}

make_node() {
  local at=$scratch/node/client/typescript
  why='there is no Node 20 with npm'
  command -v npm >/dev/null || return
  node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || return
  # From a copy: npm leaves its own folders beside the sources.
  mkdir -p "$at"
  (cd "$repo/client/typescript" && tar --exclude=node_modules --exclude=dist -cf - .) | tar -C "$at" -xf -
  echo '{ "name": "app", "version": "1.0.0", "type": "module" }' >"$scratch/node/package.json"
  cp "$repo/tests/client/typescript/any_worker.mjs" "$scratch/node/"
  (cd "$scratch/node" && timeout 250 npm install --no-audit --no-fund "$at") >"$scratch/npm.log" 2>&1 || {
    why="its packages cannot be had: $(grep -v '^ *$' "$scratch/npm.log" | tail -n 1)"
    grep 'error TS' "$scratch/npm.log" || return
    give_up "the TypeScript client does not compile"
  }
  program node node "$scratch/node/any_worker.mjs"
}
