#include "rpc/call_stats.h"

namespace millrace::rpc {

const char* Label(Method method) {
  switch (method) {
    case Method::kSubmitJob:
      return "JobService/SubmitJob";
    case Method::kBatchSubmitJobs:
      return "JobService/BatchSubmitJobs";
    case Method::kStreamSubmit:
      return "JobService/StreamSubmit";
    case Method::kGetJob:
      return "JobService/GetJob";
    case Method::kListJobs:
      return "JobService/ListJobs";
    case Method::kWaitJob:
      return "JobService/WaitJob";
    case Method::kWatchJobs:
      return "JobService/WatchJobs";
    case Method::kCancelJob:
      return "JobService/CancelJob";
    case Method::kRetryJob:
      return "JobService/RetryJob";
    case Method::kDeleteJob:
      return "JobService/DeleteJob";
    case Method::kCancelJobs:
      return "JobService/CancelJobs";
    case Method::kRetryJobs:
      return "JobService/RetryJobs";
    case Method::kDeleteJobs:
      return "JobService/DeleteJobs";
    case Method::kListPools:
      return "PoolService/ListPools";
    case Method::kGetPool:
      return "PoolService/GetPool";
    case Method::kResizePool:
      return "PoolService/ResizePool";
    case Method::kPausePool:
      return "PoolService/PausePool";
    case Method::kResumePool:
      return "PoolService/ResumePool";
    case Method::kDrainPool:
      return "PoolService/DrainPool";
    case Method::kBackup:
      return "AdminService/Backup";
  }
  return "";
}

CallStats::CallStats() {
  for (int i = 0; i < kMethods; ++i) seconds_.emplace_back(Histogram::SecondsBounds());
}

void CallStats::Answered(Method method, StatusCode code, double seconds) {
  // relaxed: counters order nothing.
  requests_[static_cast<size_t>(method)][static_cast<size_t>(code)].fetch_add(1, std::memory_order_relaxed);
  seconds_[static_cast<size_t>(method)].Observe(seconds);
}

uint64_t CallStats::Requests(Method method, StatusCode code) const {
  return requests_[static_cast<size_t>(method)][static_cast<size_t>(code)].load(std::memory_order_relaxed);
}

HistogramSnapshot CallStats::Seconds(Method method) const { return seconds_[static_cast<size_t>(method)].Snapshot(); }

}  // namespace millrace::rpc
