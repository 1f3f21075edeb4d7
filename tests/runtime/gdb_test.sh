#!/usr/bin/env bash
# deploy/gdb/millrace-gdb.py on the program zoo.cc: live, and on a core that the kernel wrote.
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
bin=${MILLRACE_BIN:-$repo/build/bin}
script=$repo/deploy/gdb/millrace-gdb.py
scratch=$(mktemp -d "${TMPDIR:-/tmp}/millrace-gdb_test.XXXXXX")
zoo=''
clean_up() {
  [[ -z $zoo ]] || kill -KILL "$zoo" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

skip() {
  echo "gdb_test: skipped, $*"
  exit 77
}
command -v gdb >/dev/null || skip "gdb is not installed"
gdb -nx -batch -ex 'python import gdb.unwinder; gdb.Frame.level' >/dev/null 2>&1 ||
  skip "this gdb has no Python, or is older than 11"

bad=0
# says WHAT PATTERN: the text in $scratch/said has a line like that.
says() {
  grep -qE "$2" "$scratch/said" || {
    echo "gdb_test: $1: nothing like '$2' in"
    cat "$scratch/said"
    bad=1
  }
}
look() {
  DEBUGINFOD_URLS='' gdb -nx -batch -x "$script" "$@" -ex 'info fibers' -ex 'echo ----\n' -ex 'fiber all bt' \
    >"$scratch/said" 2>&1 || true
  says "$what" "^fiber [0-9]+ 'lion' \[channel receive, [0-9.]+ s\] .*LeaveFiber"
  says "$what" "^fiber [0-9]+ 'bear' \[timer, [0-9.]+ s\]"
  # Where it called, not where it waited before.
  says "$what" "^fiber [0-9]+ 'mole' \[blocking call, [0-9.]+ s\] .*DigATunnel"
  says "$what" "^6 fibers$"
  # The frames of one lion are in their order, numbered from 0, and end with the outermost function of a fiber.
  sed -n "/^fiber [0-9]* 'lion' .channel receive.:/,/^$/p" "$scratch/said" | sed '/^$/q' >"$scratch/lion"
  grep -oE '^#[0-9]+|LieInTheCave|GoIntoTheCave|FiberEntry' "$scratch/lion" | tr '\n' ' ' >"$scratch/order"
  grep -qE '^#0 #1 .*LieInTheCave #[0-9] GoIntoTheCave #.*FiberEntry $' "$scratch/order" || {
    echo "gdb_test: $what: the lion's frames are not in their order"
    cat "$scratch/said"
    bad=1
  }
  sed -n "/^fiber [0-9]* 'mole' .blocking call.:/,/^$/p" "$scratch/said" | sed '/^$/q' >"$scratch/mole"
  grep -oE '^#[0-9]+|read \(|DigATunnel|FiberEntry' "$scratch/mole" | tr '\n' ' ' >"$scratch/order"
  grep -qE '^#0 .*read \( .*DigATunnel #.*FiberEntry $' "$scratch/order" || {
    echo "gdb_test: $what: the mole's frames are not in their order"
    cat "$scratch/said"
    bad=1
  }
}

mkfifo "$scratch/in"
"$bin/fiber_zoo" <"$scratch/in" >"$scratch/out" &
zoo=$!
exec 3>"$scratch/in"
until grep -q open "$scratch/out"; do
  kill -0 "$zoo" || exit 1
  read -rt 0.05 _ <> <(:) || true
done
what=live
if gdb -nx -batch -p "$zoo" -ex 'info threads' 2>&1 | grep -q 'Operation not permitted'; then
  echo "gdb_test: not live: this place forbids ptrace"
  live=no
else
  look -p "$zoo"
  # A running fiber's stack is a thread's.
  says live "^fiber 1 'main' \[running\]:"
  says live '^#[0-9]+ .*read \('
  DEBUGINFOD_URLS='' gdb -nx -batch -x "$script" -p "$zoo" -ex 'fiber 4711 bt' -ex 'fiber one bt' -ex 'bt' \
    >"$scratch/said" 2>&1 || true
  says "an unknown fiber" 'no live fiber 4711'
  says "a fiber that is no number" 'usage: fiber ID'
  live=yes
fi
exec 3>&-
wait "$zoo" || { echo "gdb_test: the program did not survive being looked at"; bad=1; }
zoo=''

cd "$scratch"
ulimit -c unlimited 2>/dev/null || true
bash -c '"$1" abort; true' _ "$bin/fiber_zoo" 2>/dev/null || true
core=$(find "$scratch" -name 'core*' | head -n 1)
if [[ -z $core ]]; then
  [[ $live == yes ]] || skip "neither ptrace nor a core file here ($(cat /proc/sys/kernel/core_pattern))"
  echo "gdb_test: no core: the kernel puts it elsewhere ($(cat /proc/sys/kernel/core_pattern))"
else
  what=core
  look "$bin/fiber_zoo" "$core"
  says core "^fiber 1 'main' \[running\]:"
  says core 'abort'
fi

gdb -nx -batch -x "$script" -ex 'info fibers' >"$scratch/said" 2>&1 || true
says "without a program" 'no symbol millrace_layout'
((bad == 0)) || exit 1
echo "gdb_test: fibers are found live and in a core"
