// Visit: a job by its id, wherever it is: in the dispatcher's hands, or ended and with the journal.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/status.h"
#include "dispatch/core.h"

namespace millrace::dispatch {

// Calls, in a Turn, `living(JobEntry&, Turn&)` for a job in the table, loaded if it was cold, or `ended(record, Turn&)`
// for one that has ended and is remembered, with what `part` says of it; and gives what that returns. NOT_FOUND
// JOB_NOT_FOUND: clients do not know such a job. UNAVAILABLE, INTERNAL STORE_DAMAGED: it had to be read, which failed.
// May wait for the disk.
template <typename Living, typename Ended>
Status Visit(Core& core, const JobId& id, Journal::Part part, Living living, Ended ended) {
  // Each further one means that the job has moved while it was being read.
  constexpr int kTries = 16;
  std::shared_ptr<const JobRecord> record;  // Read, of a job that is not in the table;
  std::shared_ptr<HotJob> hot;              // or of one that is, and cold:
  std::optional<ColdJob> cold;
  bool known = false;
  for (int i = 0; i < kTries; ++i) {
    {
      Turn turn(core);
      JobEntry* job = core.table.Find(id);
      known = job != nullptr;
      if (known) {
        if (job->hidden) return JobNotFound(id);
        if (job->hot || (hot && core.Load(*job, *cold, &hot, turn))) {
          Status status = living(*job, turn);
          // The verb may have ended it.
          if ((job = core.table.Find(id)) != nullptr) core.KeepOrEvict(*job, turn);
          return status;
        }
        cold = ColdJob{id, job->generation};
      } else if (record && IsTerminal(record->life.state) && core.retention.Contains(*record)) {
        return ended(record, turn);
      }
    }
    if (known) {
      Result<std::shared_ptr<HotJob>> read = core.ReadHot(id);
      if (!read.ok() && read.status().code() != StatusCode::kNotFound) return read.status();
      hot = read.ok() ? *std::move(read) : nullptr;
    } else {
      Result<std::shared_ptr<const JobRecord>> read = core.journal.Read(id, part);
      if (!read.ok()) return read.status().code() == StatusCode::kNotFound ? JobNotFound(id) : read.status();
      // What was read before is what there is, and nobody remembers it.
      if (record && record->life.state == (*read)->life.state && record->finished == (*read)->finished) break;
      record = *std::move(read);
    }
  }
  if (!known) return JobNotFound(id);
  return Unavailable("JOB_MOVES", "job " + id.ToString() + " changed again and again while it was read; repeat");
}

}  // namespace millrace::dispatch
