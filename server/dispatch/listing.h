// Listing: jobs in id order, those in the dispatcher's hands and those that have ended, which the journal has, as one.
//   Moment    Some jobs at a time, each as it is then. A job that is there from the begin to the end is listed once,
//             whatever happens to it meanwhile; but one that ends, is retried and ends again in the same moment may be
//             left out.
//   Threads   One at a time; takes the dispatcher's lock, and may wait for the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "dispatch/dispatcher.h"

namespace millrace::dispatch {

class Core;

// CANCELLED CALL_CANCELLED: nobody wants to know any more.
Status GoneStatus();

class Listing {
 public:
  // `query.limit` and `query.bytes_max` are the caller's business.
  Listing(Core& core, const ListQuery& query);

  struct Found {
    JobId id;
    std::optional<JobSnapshot> job;  // nullopt: it has to be read (Dispatcher::Get), and may be gone by then.
    bool check_labels = false;       // While it is being found: they are on the disk.
  };
  // The next ones that match, `limit` at most, which is not 0. None: that was all.
  Result<std::vector<Found>> Next(size_t limit);

 private:
  std::vector<Found> FindLiving(size_t limit, JobId* last);
  // Takes out jobs that do not match, where their labels are on the disk.
  Status CheckLabels(std::vector<Found>* found);
  // Takes out jobs that are not remembered any more; adds those that live again.
  void CheckEnded(std::vector<std::shared_ptr<const JobRecord>>* ended, std::vector<Found>* revived,
                  uint64_t* revivals);
  bool Before(const JobId& a, const JobId& b) const { return query_.newest_first ? b < a : a < b; }

  Core& core_;
  const ListQuery& query_;
  const bool wants_ended_;
  const JobId end_;  // Beyond every job.
  JobId at_;         // The last one that was looked at.
  bool over_ = false;
};

}  // namespace millrace::dispatch
