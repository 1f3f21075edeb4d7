#!/usr/bin/env bash
# What Prometheus sees: every series of the promised list from the start, clean by promtool's rules, with numbers that
# add up.
source "$(dirname "$0")/harness.sh"

write_config <<TOML
[pool.programs]
runner = "exec"
workers = 2

[kind.true]
pool = "programs"
exec = ["true"]
TOML
start_daemon
page=$scratch/metrics
scrape() { curl -fsS "http://$http/metrics" >"$page"; }
check "/metrics answers" scrape

echo "---- from the start"
for series in \
  'pool_queue_jobs\{pool="programs",band="(critical|high|normal|low)"\}' 'pool_queue_bytes\{pool="programs"' \
  'pool_capacity_jobs\{pool="default"\}' 'pool_capacity_bytes\{pool="default"\}' 'pool_workers\{pool="programs"\} 2' \
  'pool_workers_busy\{pool="programs"\} 0' 'pool_speedup\{pool="default"\}' 'pool_efficiency_ratio\{pool="default"\}' \
  'pool_utilization_ratio\{pool="default"\}' 'pool_useful_seconds_total\{pool="default"\}' \
  'pool_lost_seconds_total\{pool="default",reason="' \
  'jobs_submitted_total\{pool="default",result="accepted"\} 0' \
  'jobs_finished_total\{pool="default",kind="sha256",outcome="succeeded"\} 0' \
  'job_attempts_total\{pool="programs",kind="true",result="timed_out"\} 0' \
  'job_wait_seconds_bucket\{pool="default",le="' \
  'job_run_seconds_count\{pool="default",kind="echo"\} 0' 'pool_oldest_queued_age_seconds\{pool="default"\} 0$' \
  'dead_letter_jobs' \
  'store_commit_seconds_count' 'store_fsync_seconds_count' 'store_commit_batch_jobs_count' \
  'store_errors_total\{op="background"\} 0' 'store_errors_total\{op="write"\} 0' 'store_failing 0' \
  'scheduler_context_switches_total\{kind="voluntary"\}' 'scheduler_context_switches_total\{kind="preempted"\}' \
  'scheduler_context_switches_total\{kind="handoff"\}' 'scheduler_switch_seconds_total' 'scheduler_steals_total' \
  'scheduler_procs' \
  'scheduler_machines\{state="' 'scheduler_fibers\{state="' 'scheduler_run_queue_fibers' \
  'scheduler_wait_seconds_bucket' \
  'grpc_requests_total\{method="[^"]*SubmitJob",code="OK"\}' 'build_info\{'; do
  check "millrace_$series" has "$page" "^millrace_$series"
done

echo "---- after work"
check "100 native jobs" millrace submit echo --payload hello --count 100 --wait
check "20 programs" millrace submit true --count 20 --wait
check "/metrics answers" scrape
check "100 accepted" has "$page" '^millrace_jobs_submitted_total\{pool="default",result="accepted"\} 100$'
check "100 finished" has "$page" '^millrace_jobs_finished_total\{pool="default",kind="echo",outcome="succeeded"\} 100$'
check "none of another kind" has "$page" \
  '^millrace_jobs_finished_total\{pool="default",kind="sha256",outcome="succeeded"\} 0$'
check "100 waits measured" has "$page" '^millrace_job_wait_seconds_count\{pool="default"\} 100$'
check "20 programs finished" has "$page" \
  '^millrace_jobs_finished_total\{pool="programs",kind="true",outcome="succeeded"\} 20$'
check "useful time was counted" has "$page" '^millrace_pool_useful_seconds_total\{pool="programs"\} 0*[.0]*[1-9]'
id=$(millrace submit echo --payload labels-carry-no-ids)
check "wait for it" millrace jobs wait "$id"
check "/metrics answers" scrape
check "no id is a label" test -z "$(grep -F "$id" "$page")"

echo "---- the age of the oldest job is one that an alert can compare"
check "a pool that is paused" millrace pools pause programs
check "a job that waits" millrace submit true
oldest() { metric 'millrace_pool_oldest_queued_age_seconds{pool="programs"}'; }
waits() { [[ $(oldest) == *[1-9]* ]]; }
await "the age to grow" waits
check "it is no time of day" test "$(oldest | cut -d. -f1)" -lt 1000000
check "the pool goes on" millrace pools resume programs
nothing_waits() { [[ $(oldest) == 0 ]]; }
await "no age where nothing waits" nothing_waits

echo "---- for machines"
check "the content type is Prometheus's" has <(curl -fsS -o /dev/null -D - "http://$http/metrics") \
  '^Content-Type: text/plain; version=0.0.4'
check "/healthz" curl -fsS "http://$http/healthz"
check "/readyz" curl -fsS "http://$http/readyz"

# promtool comes in a package that also starts a Prometheus server, which nobody wants on a developer's machine: it is
# taken out of the package instead of installing that.
promtool=$(command -v promtool || echo "${XDG_CACHE_HOME:-$HOME/.cache}/millrace-tools/usr/bin/promtool")
if [[ ! -x $promtool ]]; then
  folder=${promtool%/usr/bin/promtool}
  mkdir -p "$folder"
  (cd "$scratch" && apt-get download prometheus && dpkg-deb -x prometheus_*.deb "$folder") >"$out" 2>&1 || true
fi
if [[ -x $promtool ]]; then
  lint() { "$promtool" check metrics <"$page"; }
  check "promtool has no complaint" lint
  # Where the test looks for the rules.
  cp "$repo/deploy/alerts.example.yml" "$scratch/alerts.yml"
  cp "$repo/tests/metrics/alerts_test.yml" "$scratch/"
  check "the alerts of the example fire when they should" "$promtool" test rules "$scratch/alerts_test.yml"
  while read -r name; do
    check "$name is a metric" has "$page" "^${name}[{ ]"
  done < <(grep -oE '(millrace|process)_[a-z_]+' "$scratch/alerts.yml" | sort -u)
else
  echo "left out: promtool check metrics, since promtool is not there and the package prometheus could" \
    "not be downloaded"
fi
stop_daemon
check "the daemon ended well" test "$daemon_rc" = 0
finish
