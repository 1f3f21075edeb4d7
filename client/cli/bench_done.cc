#include "client/cli/bench_done.h"

#include <algorithm>
#include <limits>

#include "client/cli/units.h"

namespace millrace::cli {

int64_t ClockOffset(const std::vector<DoneSample>& samples) {
  int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
  for (const DoneSample& sample : samples) {
    if (sample.accepted_ns == 0) continue;
    low = std::max(low, sample.accepted_ns - sample.acknowledged_ns);
    high = std::min(high, sample.accepted_ns - sample.sent_ns);
  }
  if (low <= 0 && high >= 0) return 0;
  return low + (high - low) / 2;
}

DoneSampler::DoneSampler(client::Client& client, int64_t jobs, int64_t samples, std::stop_token stop)
    : jobs_(jobs),
      every_(std::max<int64_t>(1, jobs / std::max<int64_t>(samples, 1))),
      follow_at_once_(jobs > kInTime),
      follower_(
          client, [this](size_t index, const Result<v1::Job>& job) { OnFinished(index, job); }, v1::JOB_VIEW_BASIC,
          std::move(stop)) {}

int64_t DoneSampler::WallOf(SteadyTime time) const {
  return std::chrono::duration_cast<nanoseconds>(wall_.time_since_epoch() + (time - steady_)).count();
}

void DoneSampler::OnAcknowledged(const Acknowledged& job) {
  if (job.number % every_ != 0 && job.number != jobs_ - 1) return;
  size_t index;
  {
    std::lock_guard lock(mutex_);
    index = samples_.size();
    samples_.push_back({WallOf(job.due), WallOf(job.sent), WallOf(job.acknowledged)});
    ids_.push_back(job.answer.id());
  }
  if (follow_at_once_) follower_.Add(index, job.answer.id());
}

void DoneSampler::OnFinished(size_t index, const Result<v1::Job>& job) {
  if (!job.ok()) return;
  std::lock_guard lock(mutex_);
  samples_[index].accepted_ns = FromProto(job->create_time()).time_since_epoch().count();
  samples_[index].finished_ns = FromProto(job->finish_time()).time_since_epoch().count();
  if (job->state() != v1::JOB_STATE_SUCCEEDED) ++failed_;
}

std::unique_ptr<DoneResult> DoneSampler::Collect(std::optional<std::chrono::milliseconds> timeout) {
  for (size_t i = 0; !follow_at_once_ && i < ids_.size(); ++i) follower_.Add(i, ids_[i]);
  follower_.WaitAll(timeout);

  auto result = std::make_unique<DoneResult>();
  std::lock_guard lock(mutex_);
  result->clock_offset_ns = ClockOffset(samples_);
  result->failed = failed_;
  for (const DoneSample& sample : samples_) {
    if (sample.finished_ns == 0) {
      ++result->unknown;
      continue;
    }
    const int64_t finished = sample.finished_ns - result->clock_offset_ns;
    result->latency.Record(nanoseconds(finished - sample.due_ns));
    result->last_finish_ns = std::max(result->last_finish_ns, finished);
  }
  return result;
}

}  // namespace millrace::cli
