#!/usr/bin/env bash
# What the READMEs show works as it stands there: every code block that names a language is run against a real daemon,
# with the daemon's address in place of 127.0.0.1:7070. A part whose language or packages cannot be had here is left
# out, and named; a block that no part below runs is a failure. Packages are fetched once
# (tests/support/fetched_tools.sh).
source "$(dirname "$0")/harness.sh"
# shellcheck source=tests/support/fetched_tools.sh
source "$repo/tests/support/fetched_tools.sh"

digest=9ecb36561341d18eb65484e833efea61edc74b84cf5e6ae1b81c63533e25fc8f
left_out=()
seen=$scratch/seen
: >"$seen"

# block FILE LANGUAGE [WORDS]: the first block of FILE in this language that has WORDS in it, and notes that it is run.
blocks_of() { grep -n '^```' "$repo/$1" | paste - - | sed -nE "s/^([0-9]+):\`\`\`$2\t([0-9]+):.*/\1 \2/p"; }
block() {
  local from to
  while read -r from to; do
    sed -n "$((from + 1)),$((to - 1))p" "$repo/$1" >"$scratch/block"
    grep -q -- "${3:-}" "$scratch/block" || continue
    echo "$1:$from" >>"$seen"
    sed "s/127\.0\.0\.1:7070/$MILLRACE_ADDRESS/g" "$scratch/block"
    return
  done < <(blocks_of "$1" "$2")
  echo "$test_name: $1 has no block in $2 with '${3:-}'" >&2
  return 1
}

# The lines of a shell block, in two: those that fetch packages, which run once, and those that do not. A line ends
# where its command does.
fetches='venv|pip install|go install|go get|go mod init'
lines() { sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' "$scratch/commands"; }
fetching() { lines | grep -E "$fetches"; }
others() { lines | grep -vE "$fetches"; }

write_config <<TOML
[pool.thumbs]
TOML
start_daemon

echo "---- configuration"
block README.md toml >"$scratch/example.toml"
check "README.md: the pool and the kind" millraced --config "$scratch/example.toml" --data-dir "$scratch/none" \
  --check-config

echo "---- the command"
block client/README.md console >"$scratch/commands"
printf '%s\n' one two >"$scratch/words"
while IFS= read -r line; do
  line=${line#"\$ "}
  case $line in
    *"bench "*) line=${line/--jobs 30000/--jobs 300} ;;
    *"/usr/share/dict/"*) line=${line//\/usr\/share\/dict\/\*/$scratch\/words} ;;
  esac
  line=${line//\/var\/backups/$scratch}
  check "$line" bash -c "cd '$scratch' && $line"
done < <(grep '^\$ ' "$scratch/commands")
check "and the first one prints what is said there" bash -c \
  "millrace submit sha256 --payload 'the quick brown fox' --wait | grep -q $digest"

echo "---- C++"
part() { sed -E 's,^ +,,; s, *//.*,,; s/"[0-9.:]+"/address/; /^(#include.*)?$/d' "$1"; }
block client/README.md cpp >"$scratch/readme.cc"
sed -n '/The snippet begins/,/The snippet ends/p' "$repo/client/examples/readme.cc" >"$scratch/example.cc"
check "client/README.md and examples/readme.cc are the same" diff <(part "$scratch/readme.cc") \
  <(part "$scratch/example.cc")
if [[ -x $bin/example_readme ]]; then
  check "it prints the digest" bash -c "example_readme $MILLRACE_ADDRESS | grep -qx $digest"
else
  left_out+=("C++: example_readme is not built")
fi
block client/README.md cpp 'client::Worker' >"$scratch/worker"
# Fragments that stand for themselves; io_test has the same calls.
block server/io/README.md cpp IO_DEADLINE >/dev/null
block server/io/README.md cpp io::await >/dev/null
block server/io/README.md cpp ListenTcp >"$scratch/echo"
squeezed() { tr -d ' \n' <"$1"; }
holds() { [[ $(squeezed "$1") == *"$(squeezed "$2")"* ]]; }
check "client/README.md's worker is examples/worker.cc" holds "$repo/client/examples/worker.cc" "$scratch/worker"
block client/python/README.md python >/dev/null  # python_test.sh runs it,
block client/go/README.md go >/dev/null          # go_test.sh this one,
block client/typescript/README.md js >/dev/null  # typescript_test.sh this one,
block README.md sh MILLRACE_CHECKPOINT >/dev/null  # and checkpoint_test.sh this one.
check "server/io/README.md's echo server is echo_example.cc" holds "$repo/tests/io/echo_example.cc" "$scratch/echo"

echo "---- Python"
python_part() {
  command -v python3 >/dev/null || { why="there is no python3"; return 1; }
  block client/README.md sh grpc_tools >"$scratch/commands"
  fetch "python-$(fetching | cksum | cut -d' ' -f1)" bash -ec "$(fetching)"
}
if python_part; then
  mkdir "$scratch/python"
  ln -s "$cache/python-$(fetching | cksum | cut -d' ' -f1)/env" "$scratch/python/env"
  ln -s "$repo/proto" "$scratch/python/proto"
  check "client/README.md: stubs are made" bash -ec "cd '$scratch/python' && $(others)"
  block client/README.md python >"$scratch/python/readme.py"
  check "client/README.md" bash -c "cd '$scratch/python' && env/bin/python readme.py | grep -qx $digest"
  check "client/examples/submit.py" bash -c \
    "cd '$scratch/python' && PYTHONPATH=. env/bin/python '$repo/client/examples/submit.py' $MILLRACE_ADDRESS |
      grep -q $digest"
  block README.md python >"$scratch/python/top.py"
  check "README.md" bash -c "cd '$scratch/python' && env/bin/python top.py | grep -qx '[0-9a-f]*'"
else
  block client/README.md python >/dev/null
  block README.md python >/dev/null
  left_out+=("Python: $why")
fi

echo "---- Go"
go_part() {
  local program
  for program in go protoc; do
    command -v $program >/dev/null || { why="there is no $program"; return 1; }
  done
  fetch "go-$(fetching | cksum | cut -d' ' -f1)" bash -ec "export GOBIN=\$PWD/bin; $(fetching)"
}
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
block client/README.md sh 'go mod init' >"$scratch/commands"
block client/README.md go >"$scratch/main.go"
block client/README.md yaml managed >"$scratch/buf.gen.yaml"
if go_part; then
  tools=$cache/go-$(fetching | cksum | cut -d' ' -f1)
  module() {  # A module of a client, with the program of the README.
    mkdir "$1"
    cp "$tools/go.mod" "$tools/go.sum" "$scratch/main.go" "$1"
    ln -s "$repo/proto" "$1/proto"
  }
  module "$scratch/go"
  check "client/README.md: stubs are made" bash -ec "cd '$scratch/go' && export PATH='$tools/bin:$PATH' && $(others)"
  check "client/README.md" bash -c "cd '$scratch/go' && go run . | grep -qx 'JOB_STATE_SUCCEEDED $digest'"
  if command -v npm >/dev/null && fetch buf-1.75.0 npm install --no-fund --no-audit \
    --ignore-scripts @bufbuild/buf@1.75.0; then
    module "$scratch/buf"
    cp "$scratch/buf.gen.yaml" "$scratch/buf"
    # buf takes the folder as it is, and not a link to it.
    rm "$scratch/buf/proto"
    cp -r "$repo/proto" "$scratch/buf/proto"
    check "client/README.md: buf generate, in managed mode" \
      bash -c "cd '$scratch/buf' && PATH='$tools/bin:$PATH' '$cache/buf-1.75.0/node_modules/.bin/buf' generate"
    check "and the program with what it made" bash -c \
      "cd '$scratch/buf' && go run . | grep -qx 'JOB_STATE_SUCCEEDED $digest'"
  else
    left_out+=("buf: ${why:-there is no npm}")
  fi
else
  left_out+=("Go: $why")
fi

echo "---- and nothing else is shown"
# Without git where there is none: in the archive of a release, or where CI fetched the tree before git was installed.
readmes() {
  cd "$repo"
  { [[ -e .git ]] && git ls-files '*.md' 2>/dev/null; } ||
    find . \( -name '.?*' -o -name 'build*' \) -prune -o -name '*.md' -printf '%P\n'
}
for readme in $(readmes | grep -v CHANGELOG); do
  grep -nE '^```[a-z]+' "$repo/$readme" | sed -E "s,^([0-9]+):.*,$readme:\1," || true
done | grep -E '\.md:' | sort -u >"$scratch/shown"
check "every block in a language is run" diff <(sort -u "$seen") "$scratch/shown"

stop_daemon
for part in "${left_out[@]}"; do
  echo "left out: $part"
done
finish
