# Sourced by the shell tests that need a tool from a package registry. What was fetched is kept between runs, in
# $MILLRACE_TEST_CACHE (default ~/.cache/millrace-tests), so that only the first run asks the registry.
#
#   fetch NAME COMMAND...   runs COMMAND once, ever, in the folder $cache/NAME, which is made whole or not at all;
#                           fails, with the last words of COMMAND in $why, where it cannot be had. Change NAME when
#                           COMMAND changes.
# shellcheck shell=bash
cache=${MILLRACE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-tests}
why=''

fetch() {
  local name=$1 rc=0
  shift
  mkdir -p "$cache"
  # Tests of several checkouts may run at once; the bound is for a registry that does not answer.
  {
    flock 9
    if [[ ! -e $cache/$name/.whole ]]; then
      rm -rf "${cache:?}/$name"
      mkdir -p "$cache/$name"
      if (cd "$cache/$name" && timeout 200 "$@") >"$cache/$name.log" 2>&1; then
        touch "$cache/$name/.whole"
      else
        rc=1
        why=$(grep -v '^ *$' "$cache/$name.log" | tail -n 1)
      fi
    fi
  } 9>"$cache/lock"
  return "$rc"
}
