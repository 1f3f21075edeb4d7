#!/usr/bin/env bash
# What cmake --install installs is enough for strangers: the daemon runs from there, and projects outside the tree
# (tests/packages/) build with the packages millrace and millrace-runtime, the latter also by add_subdirectory, where
# neither gRPC nor RocksDB can be found.
source "$(dirname "$0")/harness.sh"

patience=200  # Compiling on a busy machine.
build=$(dirname "$bin")
prefix=$scratch/usr
[[ -f $build/cmake_install.cmake ]] || skip "$build is no build folder"
version=$(sed -nE 's/^project\(millrace VERSION ([0-9.]+) .*/\1/p' "$repo/CMakeLists.txt")
# As much as fits in our own build's cache of objects is taken from there.
export CCACHE_BASEDIR=$repo CCACHE_NOHASHDIR=1
cp -r "$repo/tests/packages" "$scratch/elsewhere"

# A pkg-config that does not know what only the daemon has need of.
mkdir "$scratch/poor"
cat >"$scratch/poor/pkg-config" <<'SH'
#!/usr/bin/env bash
case " $* " in *grpc* | *rocksdb* | *microhttpd* | *jemalloc*) exit 1 ;; esac
exec /usr/bin/env PATH="${PATH#*:}" pkg-config "$@"
SH
chmod +x "$scratch/poor/pkg-config"
poor=(env "PATH=$scratch/poor:$PATH" cmake)
without=(-DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON)

# Without optimisation: it is the packages that are tested, and they compile in half the time.
configure() {
  local project=$1 folder=$scratch/$2
  shift 2
  "${poor[@]}" -G Ninja -S "$scratch/elsewhere/$project" -B "$folder" -DCMAKE_CXX_COMPILER="$compiler" "$@"
}
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
says() { [[ $("${@:2}") == "$1" ]]; }
fails() { ! "$@"; }
links_no() { ! ldd "$2" | grep -E "$1"; }
# What is installed may be moved to another machine.
names_no_checkout() { ! grep -rlF -- "$repo" "$prefix/lib/cmake" "$prefix/include"; }

for component in runtime base; do
  check "component $component" cmake --install "$build" --prefix "$prefix" --component $component
done
check "the fibers alone are installed" test ! -e "$prefix/bin" -a ! -e "$prefix/include/millrace/client"
check "a project finds millrace-runtime" configure fibers found -DCMAKE_PREFIX_PATH="$prefix" "${without[@]}"
check "and builds" cmake --build "$scratch/found" -j 2
check "and runs" says "version $version"$'\n''heard hello' "$scratch/found/fibers"
check "without gRPC and RocksDB" links_no 'grpc|protobuf|rocksdb' "$scratch/found/fibers"
check "another version is refused" fails configure fibers later -DCMAKE_PREFIX_PATH="$prefix" -DWANTED=9.9

check "a project has the checkout in it" configure fibers inside -DMILLRACE_SOURCE="$repo" "${without[@]}"
check "and builds" cmake --build "$scratch/inside" -j 2
check "and runs" says "version $version"$'\n''heard hello' "$scratch/inside/fibers"
check "nothing above the fibers is built" test ! -e "$scratch/inside/millrace/libmillrace_job.a"

check "everything" cmake --install "$build" --prefix "$prefix"
check "installed files name no path of the checkout" names_no_checkout
PATH=$prefix/bin:$PATH
check "the daemon is that of the prefix" test "$(command -v millraced)" = "$prefix/bin/millraced"
check "its version" has <(millraced --version) "$version"
check "the example configuration" millraced --check-config --config "$prefix/share/doc/millrace/config.example.toml"
start_daemon
check "a project finds millrace" cmake -G Ninja -S "$scratch/elsewhere/submit" -B "$scratch/submit" \
  -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler"
check "and builds" cmake --build "$scratch/submit" -j 2
check "and submits" says 'SUCCEEDED over there' "$scratch/submit/submit" "$MILLRACE_ADDRESS"
check "the others find their command" millrace submit echo --payload x --wait
stop_daemon
finish
