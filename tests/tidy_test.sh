#!/usr/bin/env bash
# clang-tidy has nothing to say: the short list of checks in .clang-tidy, each an error.
#
#   tests/tidy_test.sh [BUILD_DIR]        build, which must be configured: its compile_commands.json is used
#
# A file is looked at again only when it, a header of ours it includes (directly or not) or .clang-tidy has changed: what was
# found clean is remembered by a hash of those, in ${XDG_CACHE_HOME:-~/.cache}/millrace-tidy, for every clone.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millrace-tidy

for tidy in clang-tidy-14 clang-tidy none; do
  command -v $tidy >/dev/null && break
done
if [[ $tidy == none ]]; then
  echo "tidy_test: skipped, clang-tidy is not installed (deploy/install-deps.sh tests)"
  exit 77
fi
[[ -f $build/compile_commands.json ]] || {
  echo "tidy_test: $build is not configured; cmake --preset release"
  exit 1
}
mkdir -p "$cache"
find "$cache" -type f -mtime +30 -delete
base=$({ $tidy --version; cat .clang-tidy "$0"; } | sha256sum)

# FILE and every file of ours it includes, one a line.
closure() {
  local -A known=([$1]=1)
  local queue=("$1") file name
  while ((${#queue[@]})); do
    file=${queue[0]}
    queue=("${queue[@]:1}")
    echo "$file"
    while read -r name; do
      for name in "server/$name" "$name" "proto/${name%.*.h}.proto" "proto/${name%.grpc.pb.h}.proto"; do
        if [[ -f $name && -z ${known[$name]:-} ]]; then
          known[$name]=1
          queue+=("$name")
        fi
      done
    done < <(sed -nE 's/^[ \t]*#[ \t]*include[ \t]*"([^"]+)".*/\1/p' "$file")
  done
}

key() {
  closure "$1" | sort | xargs sha256sum | { echo "$base $1"; cat; } | sha256sum | cut -d' ' -f1
}

# FILE KEY: prints nothing for a clean file, and remembers it.
tidy_one() {
  local words
  if words=$("$tidy" -p "$build" --quiet --extra-arg=-w "$1" 2>&1); then
    touch "$cache/$2"
  else
    grep -vE '^[0-9]+ warnings|^Suppressed|^Use -header-filter|^[0-9]+ warnings? treated as error' <<<"$words"
    return 1
  fi
}
export -f tidy_one
export tidy build cache

todo=()
clean=0
while read -r file; do
  k=$(key "$file")
  if [[ -f $cache/$k ]]; then
    touch "$cache/$k"
    clean=$((clean + 1))
  else
    todo+=("$file" "$k")
  fi
done < <(sed -nE 's/^ *"file": "(.*)",?$/\1/p' "$build/compile_commands.json" | sed "s|^$PWD/||" |
  grep -E '^(server|client|tests)/' | sort -u)

echo "tidy_test: $clean files are known to be clean, $((${#todo[@]} / 2)) to look at"
if ((${#todo[@]} > 0)); then
  # shellcheck disable=SC2016  # expanded by the inner shell
  printf '%s\n' "${todo[@]}" | xargs -P "$(nproc)" -n 2 bash -c 'tidy_one "$1" "$2"' tidy || {
    echo "tidy_test: clang-tidy has words above"
    exit 1
  }
fi
echo "tidy_test: clean"
