// Why a job does not run now.
#include <string>

#include "dispatch/core.h"

namespace millrace::dispatch {

std::optional<Waiting> Core::WhyWaits(const JobEntry& job) {
  using enum Waiting::Reason;
  const Pool& pool = *job.pool;
  const auto because = [](Waiting::Reason reason, std::string message) {
    return Waiting{.reason = reason, .message = std::move(message)};
  };
  switch (job.visible_state()) {
    case JobState::kScheduled:
      if (job.life.claim.attempt == 0) return because(kTime, "it waits for its time");
      return because(kRetry, "it waits for its next attempt, after attempt " + std::to_string(job.life.claim.attempt) +
                                 " did not succeed");
    case JobState::kBlocked:
    case JobState::kQueued:
      break;
    default:
      return std::nullopt;
  }
  if (const BlockedOn on = WaitsFor(job); on != BlockedOn::kNothing) {
    return because(kLimit, std::string("it waits for ") + ToString(on));
  }
  if (job.in_queue != InQueue::kInLine && job.in_queue != InQueue::kAside) return std::nullopt;  // It moves just now.
  Waiting why;
  if (draining) {
    why = because(kShutdown, "the daemon is being shut down; it goes on when that is started again");
  } else if (pool.missing) {
    why = because(kPool, "its pool '" + pool.name() + "' is not in the configuration any more; add it there again");
  } else if (pool.paused) {
    why = because(kPool, "its pool is paused (to go on: millrace pools resume " + pool.name() + ")");
  } else if (job.in_queue == InQueue::kAside) {
    why = because(kDisk, job.damaged       ? "its record in the store is damaged: see the log of the daemon"
                         : job.due.armed() ? "the disk cannot be read now; that is tried again"
                                           : "it is being read from the disk, to be run");
  } else if (pool.leased) {
    why = leases.WhyInLine(job);
  } else if (pool.workers_wanted == 0) {
    why = because(kNoWorker,
                  "its pool has no workers (to give it some: millrace pools resize " + pool.name() + " --workers N)");
  } else {
    why = because(kNoSlot, pool.workers_wanted == 1
                               ? "the one worker of its pool is busy"
                               : "all " + std::to_string(pool.workers_wanted) + " workers of its pool are busy");
  }
  why.jobs_ahead = pool.channel.JobsAhead(job);
  if (why.reason == kNoSlot && why.jobs_ahead > 0) {
    why.reason = kQueue;
    why.message += why.jobs_ahead == 1
                       ? ", and a job is ahead of it in the queue"
                       : ", and " + std::to_string(why.jobs_ahead) + " jobs are ahead of it in the queue";
  }
  return why;
}

}  // namespace millrace::dispatch
