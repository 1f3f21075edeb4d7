#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: the whole of Millrace (release), then everything below gRPC
# again under AddressSanitizer with UBSan, and under ThreadSanitizer. Safe to run at any time, as often as you like;
# asks nothing.
#
#   tests/run.sh                 all of it
#   tests/run.sh --quick         the release build only
#   tests/run.sh --preset NAME   this build of CMakePresets.json only (release, clang, asan, tsan); may be repeated
#   tests/run.sh -R REGEX        only tests whose name matches (as ctest -R), in each build;
#                                `ctest --test-dir build -N` lists them
#
# With CI in the environment, warnings are errors (MILLRACE_WERROR).
#
# Ends with one line, `N passed, N failed, N skipped`, counting the test cases of all builds; a build that breaks counts
# as a failed one. Exit code 0: all passed. What each test printed is in build*/Testing/Temporary/LastTest.log.
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "$0")/.."

presets=() needed=(tests)
ctest_args=(--output-on-failure --no-tests=error)
while (($#)); do
  case $1 in
    --quick) presets=(release) ;;
    --preset)
      presets+=("${2:?--preset needs a name}")
      [[ $2 != clang ]] || needed+=(clang)
      shift
      ;;
    -R)
      ctest_args=(--output-on-failure --no-tests=ignore -R "${2:?-R needs a regular expression}")
      shift
      ;;
    *)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

((${#presets[@]} > 0)) || presets=(release asan tsan)

settings=(-DBUILD_TESTING=ON -DMILLRACE_UNITY=ON)
[[ -z ${CI:-} ]] || settings+=(-DMILLRACE_WERROR=ON)

say() { printf '\n==== %s  %s\n' "$(date +%T)" "$*"; }

# Objects compiled in another clone of this repository are as good as ours.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# A file that includes gRPC takes the compiler up to 2 GB.
memory_gb=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
jobs=$(nproc)
jobs=$((memory_gb / 2 < jobs ? (memory_gb / 2 > 0 ? memory_gb / 2 : 1) : jobs))

# The sanitizers of GCC 12 cannot place their shadow memory when the kernel randomises more than 28 bits of an address.
plain_addresses=()
if (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28) > 28)); then
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    plain_addresses=(setarch "$(uname -m)" -R)
  else
    echo "tests/run.sh: this kernel randomises addresses more than the sanitizers bear and forbids to switch that" \
      "off; they may fail with 'unexpected memory mapping' (sysctl vm.mmap_rnd_bits=28 helps)"
  fi
fi

passed=0 failed=0 skipped=0 summary=()

# attribute NAME FILE: a number from the head of ctest's JUnit report.
attribute() { grep -oE "\s$1=\"[0-9]+\"" "$2" | head -n 1 | tr -dc 0-9; }

count() {
  local preset=$1 report=$2 bad none good
  bad=$(attribute failures "$report") none=$(($(attribute skipped "$report") + $(attribute disabled "$report")))
  good=$(($(attribute tests "$report") - bad - none))
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + none))
  summary+=("$(printf '%-8s %5d passed, %d failed, %d skipped' "$preset" "$good" "$bad" "$none")")
}

run_preset() {
  local preset=$1 dir=build log report
  [[ $preset == release ]] || dir=build-$preset
  log=$(mktemp) report=$PWD/$dir/tests.xml

  say "$preset: build"
  if ! {
    deploy/configure.sh "$preset" "${settings[@]}" && cmake --build --preset "$preset" -j "$jobs"
  } >"$log" 2>&1 </dev/null; then
    grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Generating|Running)|^-- ' "$log" | tail -n 60
    rm -f "$log"
    failed=$((failed + 1))
    summary+=("$(printf '%-8s does not build' "$preset")")
    return
  fi
  rm -f "$log"

  say "$preset: test"
  rm -f "$report"
  "${plain_addresses[@]}" ctest --test-dir "$dir" -j "$(nproc)" --output-junit "$report" "${ctest_args[@]}" \
    </dev/null 2>&1 |
    grep -vE '^ *[0-9]+/[0-9]+ Test +#.* Passed|^ +Start +[0-9]+:' || true
  if [[ -f $report ]]; then
    count "$preset" "$report"
  else
    failed=$((failed + 1))
    summary+=("$(printf '%-8s ctest wrote no report' "$preset")")
  fi
}

started=$SECONDS
say "install"
deploy/install-deps.sh "${needed[@]}"
for preset in "${presets[@]}"; do run_preset "$preset"; done

say "summary, after $(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s"
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
