#!/usr/bin/env bash
# A program of this folder prints what NAME.out says, nothing on stderr, and ends with 0, on 1, 2 and 8 processors.
#
#   check.sh NAME PROGRAM
set -euo pipefail
name=$1 program=$2
expected=$(dirname "$0")/$name.out
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for procs in 1 2 8; do
  code=0
  MILLRACE_PROCS=$procs "$program" >"$scratch/out" 2>"$scratch/err" || code=$?
  if ((code != 0)) || [[ -s $scratch/err ]] || ! diff "$expected" "$scratch/out"; then
    echo "$name, $procs processors: exit code $code, other output than in $expected, or words on stderr:"
    cat "$scratch/err"
    exit 1
  fi
done
