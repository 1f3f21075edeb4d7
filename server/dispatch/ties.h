// Ties: what a job is bound by beyond itself. Few jobs are, so an entry has one pointer for all of it, and several jobs
// may share what it points to. Permits and labels are the first; the key of fair turns, the group and the jobs that
// wait for this one will stand here.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "job/job.h"
#include "job/labels.h"

namespace millrace::dispatch {

class Permit;

// Why a job that could run otherwise may not.
enum class BlockedOn : uint8_t {
  kNothing,
  kJobs,         // Others must end first.
  kConcurrency,  // As many as may run at once are running.
  kRate,         // As many as may start for now have started.
  kUnknown,      // The store says that it is BLOCKED, and nothing here knows by what: a newer daemon wrote that.
};
const char* ToString(BlockedOn reason);  // For a sentence: "the concurrency limit of its key".

struct Ties {
  // What it must hold while it runs; none of them twice. They outlive the job.
  std::vector<Permit*> permits;
  // The labels that a worker in another process must have to run it.
  LabelSet require;
};

// For a job with nothing else that binds it.
std::shared_ptr<const Ties> TiesOf(const Placement& placement);

}  // namespace millrace::dispatch
