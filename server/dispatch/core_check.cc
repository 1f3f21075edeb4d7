// What must hold between two Turns.
#include <map>

#include "base/check.h"
#include "dispatch/core.h"

namespace millrace::dispatch {

namespace {

void Require(bool holds, const JobEntry& job, const char* what) MR_IN_TURN {
  MR_CHECK(holds, "job %s, %s, is wrong: %s", job.id.ToString().c_str(), ToString(job.state()), what);
}

void RequireCount(int64_t counted, int64_t found, const char* what) {
  MR_CHECK(counted == found, "the dispatcher counts %lld %s and has %lld", static_cast<long long>(counted), what,
           static_cast<long long>(found));
}

}  // namespace

void Core::CheckInvariants(const JobEntry& job) const {
  const JobState state = job.state();
  const bool ended = IsTerminal(state), queued = state == JobState::kQueued, running = state == JobState::kRunning;
  const bool in_line = job.in_queue == InQueue::kInLine, aside = job.in_queue == InQueue::kAside;
  // Where it stands with the queue.
  Require(in_line == (job.line != nullptr), job, "it stands in a line and does not know, or the other way round");
  Require(!job.hidden || job.in_queue == InQueue::kNo || job.in_queue == InQueue::kReserved, job,
          "it is in a queue and its acceptance is not committed");
  Require(job.in_queue != InQueue::kReserved || job.hidden, job, "it keeps a place that it should have filled");
  Require(job.hidden || (in_line || aside) == queued, job, "exactly QUEUED jobs are in a queue");
  Require(!job.permitted || (job.ties != nullptr && (aside || running)), job, "it holds permits and does not run");
  Require((job.blocked_on != BlockedOn::kNothing) == (state == JobState::kBlocked), job,
          "exactly BLOCKED jobs say what blocks them");
  // Where its record is.
  Require(job.hot != nullptr || !(job.hidden || running || ended), job, "it is cold and does not wait");
  Require(!job.counted || (job.hot != nullptr && !running && !ended), job, "it does not wait hot and is counted there");
  Require(job.hot == nullptr || (job.record().life.state == state && job.record().life.claim == job.life.claim), job,
          "its record tells of another state");
  Require(job.hot == nullptr || job.hot->attempt == nullptr || running, job, "it has an attempt and does not run");
  Require(!(job.hidden && running) || job.hot->attempt->slot().awaits_start, job,
          "it runs and its acceptance is not committed");
  Require(!running || !job.pool->leased || job.hot->attempt != nullptr, job, "it runs elsewhere and nobody holds it");
  // What is due for it.
  const bool may_be_due = state == JobState::kScheduled || running || aside;
  Require(!job.due.armed() || (may_be_due && !job.hidden), job, "an alarm is set for it that means nothing");
  Require(!job.deadline.armed() || (!ended && !job.hidden), job, "its deadline would pass after its end");
}

void Core::CheckInvariants() {
  // It looks at every job: each Turn of few, and of many so seldom that a test does not feel it.
  constexpr uint64_t kJobsATurn = 64;
  if (!recovered || ++unchecked_turns_ * kJobsATurn < table.size()) return;
  unchecked_turns_ = 0;
  struct Found {
    int64_t scheduled = 0, blocked = 0, reserved = 0, queued = 0, running = 0;
  };
  std::map<const Pool*, Found> found;
  std::array<int64_t, kJobStates> states{};
  int64_t hot = 0;
  for (const std::shared_ptr<JobEntry>* next = table.FirstAfter({}); next != nullptr;) {
    const JobEntry& job = **next;
    CheckInvariants(job);
    ++states[static_cast<size_t>(job.state())];
    Found& here = found[job.pool];
    here.scheduled += job.state() == JobState::kScheduled;
    here.blocked += job.state() == JobState::kBlocked;
    here.reserved += job.in_queue == InQueue::kReserved;
    here.queued += job.in_queue == InQueue::kInLine || job.in_queue == InQueue::kAside;
    here.running += job.state() == JobState::kRunning;
    if (job.counted) hot += job.held;
    next = table.FirstAfter(job.id);
  }
  for (size_t i = 0; i < states.size(); ++i) {
    const JobState state = static_cast<JobState>(i);
    if (!IsTerminal(state)) RequireCount(jobs[i], states[i], ToString(state));
  }
  leases.CheckInvariants();
  RequireCount(waiting_hot_, hot, "bytes of jobs that wait hot");
  for (const auto& [name, pool] : pools.All()) {
    const Found& here = found[pool];
    RequireCount(pool->scheduled_jobs, here.scheduled, "SCHEDULED jobs of a pool");
    RequireCount(pool->blocked_jobs, here.blocked, "BLOCKED jobs of a pool");
    RequireCount(pool->channel.reserved_jobs(), here.reserved, "kept places of a pool");
    RequireCount(pool->channel.jobs(), here.queued, "jobs in a pool's queue");
    RequireCount(pool->workers_busy, here.running, "busy workers of a pool");
    pool->channel.CheckInvariants();
    // Whoever could not read the job that it set aside rests until that is tried again.
    const bool may_rest = !pool->may_take() || pool->channel.rendezvous() || pool->channel.aside_jobs() > 0;
    MR_CHECK(may_rest || pool->workers_idle == 0 || !pool->channel.anyone_in_line(),
             "pool '%s' has an idle worker and a job that might run", name.c_str());
  }
}

}  // namespace millrace::dispatch
