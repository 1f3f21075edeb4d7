#!/usr/bin/env bash
# The sources keep to the house style, as far as a program can judge it: laid out by clang-format, scripts that pass
# the shell linter, files that can be read in one sitting, and no note of unfinished work.
#
#   tests/format_test.sh          says what is wrong
#   tests/format_test.sh --fix    lets clang-format rewrite the sources first
set -euo pipefail
cd "$(dirname "$0")/.."

file_lines_max=450
mapfile -t sources < <(find server client tests -name '*.h' -o -name '*.cc' | sort)
mapfile -t scripts < <(grep -rlE '^#!.*\bbash\b' .ci deploy tests | sort)
bad=0
complain() {
  echo "format_test: $*"
  bad=1
}

# Another release of clang-format breaks other lines, so no other will do.
for tool in clang-format-14 shellcheck; do
  command -v $tool >/dev/null || {
    echo "format_test: skipped, $tool is not installed (deploy/install-deps.sh tests)"
    exit 77
  }
done

if [[ ${1:-} == --fix ]]; then
  clang-format-14 -i "${sources[@]}"
fi
if ! words=$(clang-format-14 --dry-run --Werror "${sources[@]}" 2>&1); then
  grep -oE '^[^:]+:[0-9]+' <<<"$words" | sort -t: -k1,1 -u || echo "$words"
  complain "the files above are not as clang-format lays them out (the first line of each is named);" \
    "tests/format_test.sh --fix"
fi

shellcheck "${scripts[@]}" || complain "shellcheck has words above"
for script in "${scripts[@]}"; do
  [[ -x $script || $script == *harness.sh ]] || complain "$script is not executable"
done

while read -r lines file; do
  [[ $file == total ]] || ((lines <= file_lines_max)) ||
    complain "$file has $lines lines, more than $file_lines_max: two ideas?"
done < <(wc -l "${sources[@]}" "${scripts[@]}")

# clang-format leaves comments, texts and scripts alone.
columns=120
mapfile -t others < <(find CMakeLists.txt Dockerfile client proto server tests deploy \
  -name CMakeLists.txt -o -name '*.cmake' -o -name '*.awk' | sort)
if LC_ALL=C.UTF-8 grep -nHE ".{$((columns + 1))}" "${sources[@]}" "${scripts[@]}" "${others[@]}"; then
  complain "the lines above are longer than $columns columns"
fi

# Written in two halves so that this file does not find itself.
unfinished='TO''DO|FIX''ME|XX''X'
if grep -nwE "$unfinished" "${sources[@]}" "${scripts[@]}" proto/millrace/v1/*.proto; then
  complain "unfinished work is written down above; finish it or leave it out"
fi

((bad == 0)) || exit 1
echo "format_test: ${#sources[@]} sources and ${#scripts[@]} scripts keep to the house style"
