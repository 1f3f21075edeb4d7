#!/usr/bin/env bash
# Installs the Debian packages that a part of Millrace needs and that are missing. Debian 12 and Ubuntu 24.04.
#
#   deploy/install-deps.sh [build|demo|tests|clang]...     default: build
#     build   compiler, CMake and the libraries of the daemon and the client
#     demo    what deploy/run.sh uses besides
#     tests   build and demo, and what tests/run.sh uses besides
#     clang   the second compiler, of the preset `clang`
#
# Only the distribution's own packages in their default versions, and nothing that is installed is removed for them:
# where that is not possible apt stops and says why. Does nothing, quickly and without root, when all is there. Asks
# nothing.
set -euo pipefail

build=(
  g++ cmake ninja-build ccache pkg-config
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libasio-dev libboost-context-dev libdw-dev
  prometheus-cpp-dev libmicrohttpd-dev zlib1g-dev librocksdb-dev libxxhash-dev
  libspdlog-dev libcli11-dev libtomlplusplus-dev libssl-dev libjemalloc-dev
)
demo=(curl jq)
# The formatter is pinned: two releases of it lay out the same line differently.
tests=(
  "${build[@]}" "${demo[@]}" git libgtest-dev libgmock-dev libbenchmark-dev
  clang-format-14 clang-tidy-14 shellcheck gdb valgrind
)
clang=(clang-14)

die() {
  echo "install-deps: $*" >&2
  exit 2
}

wanted=()
for part in "${@:-build}"; do
  case $part in
    build) wanted+=("${build[@]}") ;;
    demo) wanted+=("${demo[@]}") ;;
    tests) wanted+=("${tests[@]}") ;;
    clang) wanted+=("${clang[@]}") ;;
    *) die "unknown part '$part'; there are build, demo, tests and clang" ;;
  esac
done

command -v dpkg-query >/dev/null || die "this is no Debian or Ubuntu; install by its own means: ${wanted[*]}"

missing=()
for package in "${wanted[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || die "these packages are missing, and installing them needs root or sudo: ${missing[*]}"
  as_root=(sudo)
  [[ -t 0 ]] || as_root=(sudo -n)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    die "apt-get $1 failed; its last words are above"
  }
}

echo "install-deps: installing ${missing[*]}"
apt update
apt install --yes --no-install-recommends --no-remove "${missing[@]}"
echo "install-deps: done"
