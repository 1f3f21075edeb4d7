#!/usr/bin/env bash
# cmake --preset, also in a checkout that was moved, renamed or copied together with its build folders. CMake itself
# would refuse there, since its cache names the old place.
#
#   deploy/configure.sh [--if-needed] PRESET [ARGUMENT...]      the arguments are CMake's
#     --if-needed    leaves a folder alone that was configured in this place, whatever its settings
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "$0")/.."

always=yes
if [[ ${1:-} == --if-needed ]]; then
  always=no
  shift
fi
preset=${1:?configure.sh needs a preset: release, debug, clang, lto, asan or tsan}
shift
folder=build
[[ $preset == release ]] || folder=build-$preset

# What CMake remembers under a name, a path.
remembered() { sed -n "s/^$1:[A-Z]*=//p" "$folder/CMakeCache.txt"; }

fresh=()
if [[ -e $folder/CMakeCache.txt ]]; then
  home=$(remembered CMAKE_HOME_DIRECTORY) own_place=$(remembered CMAKE_CACHEFILE_DIR)
  if [[ ! $home -ef . || ! $own_place -ef $folder ]]; then
    echo "configure.sh: $PWD/$folder was configured as ${own_place:-another folder}; it is configured afresh"
    fresh=(--fresh)
  elif [[ $always == no && -e $folder/build.ninja ]]; then
    exit 0
  fi
fi
exec cmake "${fresh[@]}" --preset "$preset" "$@"
