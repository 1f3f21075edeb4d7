// What a stopped store holds, and one job of it: `millrace admin inspect`. What cannot be read is counted and passed
// over; verify.h tells what is wrong with it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "job/job.h"
#include "store/tools/store_reader.h"

namespace millrace::store {

struct Inspection {
  std::string folder;  // The folder of the store itself.
  int format = 0;
  StoreReader::DiskUse disk;
  std::vector<StoreReader::ShelfUse> shelves;

  std::array<int64_t, kJobStates> jobs{};
  int64_t unreadable = 0;  // Jobs of which nothing is known.
  // The QUEUED job that was accepted first.
  struct Waiting {
    JobId id;
    std::string pool, kind;
    WallTime created{};
  };
  std::optional<Waiting> oldest;
  int64_t request_ids = 0;        // Those of jobs.
  int64_t spent_request_ids = 0;  // Those of jobs that are forgotten.

  // Not OK: a file could not be read to its end, and what is said of jobs and request ids is what was found before.
  // STORE_DAMAGED.
  Status cut_short;

  int64_t job_count() const;
};

// Reads every job.
Inspection Inspect(const StoreReader& store);

// One job with all that is known. NOT_FOUND JOB_NOT_FOUND.
Result<JobSnapshot> ReadJob(const StoreReader& store, const JobId& id);

}  // namespace millrace::store
