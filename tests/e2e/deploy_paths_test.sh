#!/usr/bin/env bash
# deploy/ in places that nobody thought of: paths with spaces and quotes, relative ones, a checkout behind a link, one
# that was moved, one that belongs to somebody else. What the scripts tell people to type is typed.
source "$(dirname "$0")/harness.sh"

odd="$scratch/it's \"our\" \$HOME  folder"
mkdir -p "$odd/elsewhere"
cp -r "$repo/deploy" "$odd/deploy"
mkdir "$odd/programs"
cp "$bin/millraced" "$bin/millrace" "$odd/programs/"
run=$odd/deploy/run.sh
free=(--files 5 --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0)
clean_up_more() { "$run" --bin "$odd/programs" --state "$odd/state of it" --stop >/dev/null 2>&1 || true; }

# What follows WORD in the closing lines, up to the remark.
hint() { sed -n "s/^$1  *//p" "$scratch/said" | sed 's/      (.*//'; }
# Typed by somebody who is elsewhere.
type_in() { (cd / && unset MILLRACE_ADDRESS && eval "$address; $1"); }

echo "---- the path of everything needs quotes"
check "the main job" "$run" --bin "$odd/programs" --state "$odd/state of it" "${free[@]}"
cp "$out" "$scratch/said"
address=$(grep '^export MILLRACE_ADDRESS=' "$scratch/said")
check "the line that submits a job can be typed" type_in "$(hint submit)"
check "and hashes the word" has "$out" "$(echo hello | sha256sum | cut -d' ' -f1)"
check "the line that looks can be typed" type_in "$(hint look)"
check "and shows a pool" has "$out" '^programs '
check "the log is where it says" test -s "$(hint log)"
check "the settings are where it says" test -s "$(hint settings)"
pid=$(cat "$odd/state of it/pid")

echo "---- the same, by relative paths and through a link"
ln -s "$odd" "$scratch/link"
cd "$odd/elsewhere"
check "the daemon that runs is found" ../deploy/run.sh --bin ../programs --state "../state of it" "${free[@]}"
check "as the same one" has "$out" "runs already, pid $pid"
check "and through a link" env CDPATH=/usr "$scratch/link/deploy/run.sh" --bin "$scratch/link/programs" \
  --state "$odd/state of it" "${free[@]}"
check "as the same one" has "$out" "runs already, pid $pid"
cd "$repo"
check "the line that stops it can be typed" type_in "$(hint stop)"
check "it has ended" test ! -e "/proc/$pid"
refuses 2 "no folder programs-typo" "$run" --bin programs-typo

echo "---- a daemon whose log is told to be short"
check "the addresses are found all the same" env MILLRACE_LOG_LEVEL=warning "$run" --bin "$odd/programs" \
  --state "$scratch/quiet" --stop-after "${free[@]}"

echo "---- a daemon that is never ready"
mkdir "$scratch/never"
printf '%s\n' '#!/bin/sh' 'echo "it says why"' 'exec sleep 1000' >"$scratch/never/millraced"
chmod +x "$scratch/never/millraced"
cp "$bin/millrace" "$scratch/never/"
refuses 2 'is not ready after 0 s' "$run" --bin "$scratch/never" --state "$scratch/never/state" --patience 0 \
  "${free[@]}"
kill -KILL "$(cat "$scratch/never/state/pid")"
refuses 2 'usage|--patience' "$run" --patience soon

if ((EUID == 0)) && id nobody >"$out" 2>&1 && command -v setpriv >"$out"; then
  echo "---- as somebody who may only read it"
  chmod 755 "$scratch"
  as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/nonexistent)
  refuses 2 "cannot be written by nobody; .*--state DIR" "${as_nobody[@]}" "$run" --bin "$odd/programs" "${free[@]}"
  mkdir "$scratch/nobodys"
  chown nobody "$scratch/nobodys"
  check "with a folder of their own" "${as_nobody[@]}" "$run" --bin "$odd/programs" --state "$scratch/nobodys/state" \
    --stop-after "${free[@]}"
else
  echo "left out: another user's folder, since this is not root"
fi

echo "---- a checkout that was moved with its build folder"
# The real sources, configured as run.sh does it.
mkdir "$scratch/first place"
cp -r "$repo/CMakeLists.txt" "$repo/CMakePresets.json" "$repo/deploy" "$repo/server" "$repo/client" "$repo/proto" \
  "$scratch/first place/"
check "configure" "$scratch/first place/deploy/configure.sh" --if-needed release -DBUILD_TESTING=OFF
check "a second time there is nothing to do" "$scratch/first place/deploy/configure.sh" --if-needed release \
  -DBUILD_TESTING=OFF
check "and nothing is said" test ! -s "$out"
mv "$scratch/first place" "$scratch/second place"
check "configure it where it is now" "$scratch/second place/deploy/configure.sh" --if-needed release -DBUILD_TESTING=OFF
check "it says so" has "$out" "second place/build was configured as .*first place/build; it is configured afresh"
check "every path is of the new place" test -z "$(grep -F "first place" "$scratch/second place/build/build.ninja")"
finish
