#!/usr/bin/env bash
# From a fresh Debian 12 or Ubuntu 24.04 to a running Millrace that has done real work, with the results checked.
#
#   deploy/run.sh                    installs what is missing, builds, starts the daemon, has it compress and hash 240
#                                    files of this machine, checks every result, and says what /metrics says. The daemon
#                                    stays.
#   deploy/run.sh --stop             stops that daemon
#
#   --files N                        another number of files
#   --grpc-address HOST:PORT         instead of 127.0.0.1:7070
#   --http-address HOST:PORT         instead of 127.0.0.1:7071
#   --config FILE                    instead of deploy/config.example.toml; it must have a kind `gzip`
#   --bin DIR                        use the programs there: install and build nothing
#   --state DIR                      where the daemon's jobs, log and pid are kept, instead of build/run
#   --patience SECONDS               how long the daemon may take to be ready, instead of 120: a large store takes more
#   --stop-after                     stop the daemon at the end
#
# Files and folders are looked for from where you are. Safe to run again: a daemon that an earlier run left is used as
# it is, or restarted when the program or its settings changed.
# Asks nothing. Exit code 0: all is well; 1: a result was wrong; 2: it could not be installed, built or started.
set -euo pipefail
unset CDPATH
script=$(readlink -f -- "$0") here=$PWD
cd -- "${script%/*}/.."
# Without symbolic links, as the kernel names the program of a daemon that runs.
repo=$(pwd -P)

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$script" >&2
  exit 2
}
say() { printf '\n==== %s\n' "$*"; }
die() {
  printf 'deploy/run.sh: %s\n' "$*" >&2
  exit 2
}
# A path as it was meant where the script was called; the same text for the same place.
from_here() { (cd -- "$here" && realpath -m -- "$1"); }
# As a shell reads it: a path may have spaces and quotes.
quoted() { printf '%q' "$1"; }

files=240 grpc=127.0.0.1:7070 http=127.0.0.1:7071 config=$repo/deploy/config.example.toml
state=$repo/build/run stop=never bin='' patience=120
while (($#)); do
  case $1 in
    --stop) stop=now ;;
    --stop-after) stop=after ;;
    --files | --grpc-address | --http-address | --config | --bin | --state | --patience)
      (($# > 1)) || usage
      case $1 in
        --files) files=$2 ;;
        --patience) patience=$2 ;;
        --grpc-address) grpc=$2 ;;
        --http-address) http=$2 ;;
        --config) config=$(from_here "$2") ;;
        --bin) bin=$(cd -- "$(from_here "$2")" && pwd -P) || die "there is no folder $2" ;;
        --state) state=$(from_here "$2") ;;
      esac
      shift
      ;;
    *) usage ;;
  esac
  shift
done
[[ $files =~ ^[1-9][0-9]{0,5}$ && $patience =~ ^[0-9]{1,6}$ ]] || usage

build=yes
[[ -z $bin ]] || build=no
bin=${bin:-$repo/build/bin}
pid_file=$state/pid log=$state/daemon.log
command=("$bin/millraced" --config "$config" --grpc-address "$grpc" --http-address "$http" --data-dir "$state/data"
  --log-level info)  # Its lines tell the addresses, whatever a variable or the file says.

# ---- The daemon of an earlier run

# The pid of the daemon we left, if it still runs.
running() {
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) && [[ $(readlink "/proc/$pid/exe") == "$bin/millraced"* ]] && echo "$pid"
}

stop_daemon() {
  local pid
  pid=$(running) || return 0
  kill -TERM "$pid" || die "the daemon, pid $pid, is another user's; stop it as that user"
  # It drains: running jobs get their drain_timeout.
  local until=$((SECONDS + 120))
  while [[ -e /proc/$pid ]]; do
    ((SECONDS < until)) || die "the daemon, pid $pid, has not ended within two minutes of TERM; see $log"
    sleep 0.05
  done
  rm -f "$pid_file"
  tail -n 1 "$log"
}

# It runs, from the program as it is now and with the same settings.
is_current() {
  local pid
  pid=$(running) && [[ $(readlink "/proc/$pid/exe") == "$bin/millraced" ]] &&
    [[ $(cat "$state/command") == "${command[*]}" ]] &&
    [[ $config -ot $pid_file ]]
}

if [[ $stop == now ]]; then
  if running >/dev/null; then
    say "stopping the daemon"
    stop_daemon
  else
    say "no daemon of this script runs"
  fi
  exit 0
fi

# ---- Install and build

install_and_build() {
  say "installing what is missing"
  deploy/install-deps.sh build demo || exit 2
  echo "all there"

  say "building (the first time takes some minutes)"
  # Objects compiled in another clone of this repository are as good as ours.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  # A file that includes gRPC takes the compiler up to 2 GB.
  local memory_gb jobs
  memory_gb=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  jobs=$((memory_gb / 2 < $(nproc) ? memory_gb / 2 : $(nproc)))
  if ! {
    # A folder that is configured already may be a developer's, with tests: it stays as it is.
    deploy/configure.sh --if-needed release -DBUILD_TESTING=OFF &&
      cmake --build --preset release --target millraced millrace -j $((jobs > 0 ? jobs : 1))
  } >"$state/build.log" 2>&1 </dev/null; then
    tail -n 40 "$state/build.log" >&2
    die "the build failed; all it said is in $state/build.log"
  fi
}

# Beside an earlier run of another user, or in a folder that is only to be read.
own() {
  if ! mkdir -p -- "$1" 2>/dev/null || [[ ! -w $1 ]]; then die "$1 cannot be written by $(id -un); $2"; fi
}
own "$state" "choose another folder with --state DIR"
if [[ $build == yes ]]; then
  own build "build as its owner, or use programs that are built already: --bin DIR"
  install_and_build
fi
echo "$bin/millraced, $bin/millrace"

# ---- Start

# The address that the daemon's log names after WORD: it tells the port when it was left to the system (:0).
address_of() { sed -nE "s/.*\\b$1 (on|at) ([^ ,]+:[0-9]+).*/\\2/p" "$log" | tail -n 1; }

if is_current; then
  say "the daemon runs already, pid $(running)"
else
  say "starting the daemon"
  stop_daemon
  # Its own session, so that it stays when this terminal closes.
  setsid "${command[@]}" >"$log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  printf '%s' "${command[*]}" >"$state/command"
fi
pid=$(cat "$pid_file")
until=$((SECONDS + patience))
until grpc_now=$(address_of gRPC) http_now=$(address_of HTTP) && [[ -n $grpc_now && -n $http_now ]] &&
  curl -fsS -o "$state/ready" "http://$http_now/readyz" 2>/dev/null; do
  if [[ ! -e /proc/$pid ]]; then
    rm -f "$pid_file"
    cat "$log" >&2
    die "the daemon did not start; its words are above. Another port is chosen with --grpc-address and --http-address"
  fi
  if ((SECONDS >= until)); then
    tail -n 20 "$log" >&2
    [[ -z $http_now ]] || curl -sS "http://$http_now/readyz" >&2 || true
    die "the daemon, pid $pid, runs and is not ready after $patience s; the end of its log, $log, and what /readyz" \
      "says are above. Run this again to wait on (--patience SECONDS), or stop the daemon with --stop"
  fi
  sleep 0.05
done
export MILLRACE_ADDRESS=$grpc_now
echo "gRPC $grpc_now, HTTP $http_now, pid $pid, log $log"

# ---- Work

wrong=0
PATH=$bin:$PATH deploy/main_job.sh "$files" "$http_now" "$state/job" || wrong=$?

if [[ $stop == after ]]; then
  say "stopping the daemon"
  stop_daemon
else
  say "it is yours"
  [[ $grpc_now == 127.0.0.1:7070 ]] || echo "export MILLRACE_ADDRESS=$grpc_now"
  millrace=$(quoted "$bin/millrace")
  end=$(quoted "$script")
  [[ $state == "$repo/build/run" ]] || end+=" --state $(quoted "$state")"
  [[ $build == yes ]] || end+=" --bin $(quoted "$bin")"
  cat <<WORDS
submit    echo hello | $millrace submit sha256 --file - --wait
look      $millrace pools list; $millrace jobs list; $millrace --help
metrics   http://$http_now/metrics
log       $log
jobs      $state/data, on disk: they survive the daemon
settings  $config
stop      $end --stop      (it drains first; so does kill $pid)
WORDS
fi
exit "$wrong"
