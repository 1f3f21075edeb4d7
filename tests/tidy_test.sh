#!/usr/bin/env bash
# clang-tidy has nothing to say: the short list of checks in .clang-tidy, each an error.
#
#   tests/tidy_test.sh [BUILD_DIR]        build, which must be configured: its compile_commands.json is used
#
# A file is looked at again only when it, a header of ours it includes (directly or not) or .clang-tidy has changed:
# what was found clean is remembered by a hash of those, in ${XDG_CACHE_HOME:-~/.cache}/millrace-tidy, for every clone.
#
# Most of the time goes into headers that many files share, so the files of a folder are looked at together
# (tests/tidy_units.awk); where something is found, or they do not compile together, each of them alone. One check is
# none of files that are included, misc-unused-using-decls: for those that were looked at together a search for the name
# does its work.
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
base=$({ $tidy --version; cat .clang-tidy "$0" tests/tidy_*.awk; } | sha256sum)
units=$(mktemp -d)
trap 'rm -rf "$units"' EXIT

# FILE: the option for clang's own check of locks. A test may look at what a lock guards while it is alone.
lock_check() { [[ $1 == tests/* ]] && echo --extra-arg=-Wno-thread-safety || echo --extra-arg=-Wthread-safety; }

# FILE KEY: prints nothing for a clean file, and remembers it.
tidy_one() {
  local words
  if words=$("$tidy" -p "$units/files" --quiet --extra-arg=-Wno-everything "$(lock_check "$1")" "$1" 2>&1); then
    touch "$cache/$2"
  else
    grep -vE '^[0-9]+ warnings|^Suppressed|^Use -header-filter|^[0-9]+ warnings? treated as error' <<<"$words"
    return 1
  fi
}

# FILE: each name that a using-declaration brings in is written in another line as well, not behind a "::".
uses_what_it_names() {
  local name
  while read -r name; do
    grep -vE '^ *using .*;|^ *//' "$1" | grep -qE "(^|[^:A-Za-z0-9_])$name($|[^A-Za-z0-9_])" || return 1
  done < <(sed -nE 's/^ *using [A-Za-z0-9_:]*::([A-Za-z0-9_]+);.*/\1/p' "$1")
}

# UNIT FILE...: prints the files that must be looked at alone: all where something is found. Where files do not go
# together, often half of them do.
tidy_unit() {
  local unit=$1 file
  shift
  if (($# > 1)) && "$tidy" -p "$units" --config-file=.clang-tidy --quiet \
    --extra-arg=-Wno-everything "$(lock_check "$1")" \
    --header-filter='/(server|client)/.*\.h$|/(server|client|tests)/.*\.cc$' "$units/$unit.cc" >/dev/null 2>&1; then
    for file; do uses_what_it_names "$file" || echo "$file"; done
  elif (($# > 3)) && [[ $unit != *_*_* ]]; then
    tidy_unit "${unit}_1" "${@:1:$#/2}"
    tidy_unit "${unit}_2" "${@:$#/2+1}"
  else
    printf '%s\n' "$@"
  fi
}
export -f lock_check tidy_one tidy_unit uses_what_it_names
export tidy cache units

mkdir "$units/closures" "$units/files"
commands=$units/files/compile_commands.json
awk -f tests/tidy_files.awk "$build/compile_commands.json" >"$commands"
find server client tests proto -name '*.h' -o -name '*.cc' -o -name '*.proto' | sort | xargs sha256sum >"$units/hashes"
sed -nE 's/^ *"file": "(.*)",?$/\1/p' "$commands" | sed "s|^$PWD/||" |
  grep -E '^(server|client|tests)/' | sort -u >"$units/names"
awk -v base="$base" -v into="$units/closures" -f tests/tidy_keys.awk "$units/hashes" "$units/names"

declare -A key_of=()
clean=0
while read -r file k; do
  if [[ -f $cache/$k ]]; then
    touch "$cache/$k"
    clean=$((clean + 1))
  else
    key_of[$file]=$k
  fi
done < <(cd "$units/closures" && seq "$(wc -l <../names)" | xargs sha256sum | cut -d' ' -f1 | paste -d' ' ../names -)
echo "tidy_test: $clean files are known to be clean, ${#key_of[@]} to look at"

if ((${#key_of[@]} > 0)); then
  # A folder with checks of its own keeps its files apart.
  mapfile -t own < <(find tests -mindepth 2 -name .clang-tidy -printf '%h/\n')
  printf '%s\n' "${!key_of[@]}" | sort | grep -vFf <(printf '%s\n' "${own[@]}") >"$units/together" || true
  awk -v root="$PWD" -v into="$units" -v most=8 -f tests/tidy_units.awk "$units/together" \
    "$commands" >"$units/list"
  # shellcheck disable=SC2016  # expanded by the inner shell
  xargs -P "$(nproc)" -L 1 bash -c 'tidy_unit "$@"' tidy <"$units/list" >"$units/alone"

  declare -A suspect=()
  printf '%s\n' "${!key_of[@]}" | grep -Ff <(printf '%s\n' "${own[@]}") >>"$units/alone" || true
  while read -r file; do suspect[$file]=1; done <"$units/alone"
  todo=()
  for file in "${!key_of[@]}"; do
    if [[ -n ${suspect[$file]:-} ]]; then todo+=("$file" "${key_of[$file]}"); else touch "$cache/${key_of[$file]}"; fi
  done
  if ((${#todo[@]} > 0)); then
    # shellcheck disable=SC2016  # expanded by the inner shell
    printf '%s\n' "${todo[@]}" | xargs -P "$(nproc)" -n 2 bash -c 'tidy_one "$1" "$2"' tidy || {
      echo "tidy_test: clang-tidy has words above"
      exit 1
    }
  fi
fi
echo "tidy_test: clean"
