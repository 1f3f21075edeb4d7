# Sourced by the tests of this folder: a daemon of the test's own, the real command against it, and checks that are
# counted.
#
#   write_config <<TOML              the configuration of the daemons that follow
#   start_daemon [FLAG...]           on free ports in $scratch, ready when it returns; sets $daemon (its pid), $http,
#                                    and MILLRACE_ADDRESS for the command
#   stop_daemon                      TERM, wait, sets $daemon_rc
#   check WHAT COMMAND...            counts COMMAND's success; a failure is told and the test goes on
#   ends_with CODE COMMAND...        COMMAND exits with CODE
#   refuses CODE WORDS COMMAND...    COMMAND must exit with CODE and say WORDS (a regular expression; may be empty) on
#                                    stderr
#   await WHAT COMMAND...            tries COMMAND until it succeeds; gives up, and the test with it, after $patience
#   finish                           the verdict, last line of every test
#
# Nothing here sleeps and hopes: what takes time is awaited, and $patience only catches a hang.
# shellcheck shell=bash
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${MILLRACE_BIN:-$repo/build/bin}
test_name=$(basename "$0" .sh)
patience=120  # seconds
scratch=$(mktemp -d "${TMPDIR:-/tmp}/millrace-$test_name.XXXXXX")
config=$scratch/config.toml
data_dir=$scratch/data  # A test may have another one started.
log=$scratch/daemon.log
out=$scratch/stdout
err=$scratch/stderr
checks=0 failures=0 daemon='' daemon_rc='' http=''
unset MILLRACE_ADDRESS MILLRACE_CONFIG TRACEPARENT TRACESTATE BAGGAGE
: >"$config"
: >"$log"

for program in millraced millrace millrace-admin; do
  [[ -x $bin/$program ]] || {
    echo "$test_name: $bin/$program is not built (cmake --build --preset release)"
    exit 1
  }
done
PATH=$bin:$PATH

# A test that leaves more behind than a daemon defines this again; it gets the exit code.
clean_up_more() { :; }

clean_up() {
  local rc=$?
  trap - EXIT
  clean_up_more "$rc"
  if [[ -n $daemon ]]; then
    kill -KILL "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  if ((rc != 0 && rc != 77)); then
    echo "---- the daemon's last words"
    tail -n 40 "$log"
  fi
  rm -rf "$scratch"
  exit "$rc"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip() {
  echo "$test_name: skipped, $*"
  exit 77
}

give_up() {
  echo "$test_name: $*"
  exit 1
}

write_config() { cat >"$config"; }

await() {
  local what=$1 until=$((SECONDS + patience))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || give_up "waited $patience s in vain for: $what"
    sleep 0.05
  done
}

daemon_runs() { [[ -n $daemon ]] && kill -0 "$daemon" 2>/dev/null; }

# The address that a line of the log names after WORD.
address_of() { sed -nE "s/.*\\b$1 (on|at) ([^ ,]+:[0-9]+).*/\\2/p" "$log" | tail -n 1; }

daemon_is_ready() {
  daemon_runs || give_up "the daemon ended before it was ready"
  MILLRACE_ADDRESS=$(address_of gRPC) http=$(address_of HTTP)
  export MILLRACE_ADDRESS
  [[ -n $MILLRACE_ADDRESS && -n $http ]] && curl -fsS "http://$http/readyz"
}

start_daemon() {
  : >"$log"
  millraced --config "$config" --data-dir "$data_dir" --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 "$@" \
    >"$log" 2>&1 </dev/null &
  daemon=$!
  await "the daemon to be ready" daemon_is_ready
}

daemon_ended() { ! daemon_runs; }

await_end() {
  daemon_rc=0
  # Bash tells on stderr of a child that was killed.
  {
    await "the daemon to end" daemon_ended
    wait "$daemon" || daemon_rc=$?
  } 2>"$scratch/told"
  daemon=''
}

stop_daemon() {
  kill -TERM "$daemon"
  await_end
}

kill_daemon() {
  kill -KILL "$daemon"
  await_end
}

# A job of the daemon as JSON; its state; is JOB STATE: for checks.
job() { millrace --json jobs get "$1"; }
state_of() { job "$1" | jq -r .state; }
is() { [[ $(state_of "$1") == "$2" ]]; }

ends_with() {
  local code=$1 rc=0
  shift
  "$@" || rc=$?
  ((rc == code))
}

# A check may look at what the command of the one before it printed, so $out and $err change when the command has ended.
check() {
  local what=$1 rc=0
  shift
  checks=$((checks + 1))
  "$@" >"$out.new" 2>"$err.new" || rc=$?
  mv "$out.new" "$out"
  mv "$err.new" "$err"
  if ((rc == 0)); then
    echo "ok      $what"
  else
    failures=$((failures + 1))
    echo "FAILED  $what: $*"
    head -n 20 "$out" | sed 's/^/        stdout: /'
    head -n 20 "$err" | sed 's/^/        stderr: /'
  fi
}

refuses() {
  local code=$1 words=$2 rc=0
  shift 2
  checks=$((checks + 1))
  "$@" >"$out" 2>"$err" </dev/null || rc=$?
  if ((rc == code)) && { [[ -z $words ]] || grep -qE -- "$words" "$err"; }; then
    echo "ok      $code from: ${*:0:200}"
  else
    failures=$((failures + 1))
    echo "FAILED  wanted exit code $code and words like '$words' from: $*"
    echo "        got $rc and:"
    head -n 20 "$err" | sed 's/^/        /'
  fi
}

# has FILE REGEX
has() { grep -qE -- "$2" "$1"; }

# metric NAME{LABELS}: its value, from /metrics.
metric() { curl -fsS "http://$http/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

finish() {
  if ((failures > 0)); then
    echo "$test_name: $failures of $checks checks failed"
    exit 1
  fi
  echo "$test_name: all $checks checks passed"
}
