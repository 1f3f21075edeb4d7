// What admission asks of unique keys.
#include <map>
#include <optional>

#include "base/check.h"
#include "dispatch/core.h"

namespace millrace::dispatch {

Status Admission::FindHolders(Submission& submission, bool* open) {
  std::map<UniqueKeys::Digest, size_t> in_batch;
  for (size_t i = 0; i < submission.jobs_.size(); ++i) {
    if (!submission.jobs_[i] || !submission.jobs_[i]->record().spec->unique_key) continue;
    Status status = FindHolder(submission, i, &in_batch, open);
    if (!status.ok()) return submission.jobs_.size() == 1 ? status : OfItem(status, i);
  }
  return OkStatus();
}

Status Admission::FindHolder(Submission& submission, size_t item, std::map<UniqueKeys::Digest, size_t>* in_batch,
                             bool* open) {
  const JobSpec& spec = *submission.jobs_[item]->record().spec;
  const bool reject = spec.unique_key->on_taken == OnTaken::kReject;
  const UniqueKeys::Digest key = UniqueKeys::DigestOf(spec);
  SubmitAck& ack = submission.acks[item];
  if (const std::optional<JobId> holder = core_.unique_keys.Holder(key)) {
    const JobEntry* job = core_.table.Find(*holder);
    MR_CHECK(job != nullptr, "job %s holds a unique key and is unknown", holder->ToString().c_str());
    if (job->hidden) {
      *open = true;
      return OkStatus();
    }
    if (reject) return UniqueKeyTaken(spec, *holder);
    ack.id = *holder;
    ack.state = job->visible_state();
  } else {
    auto [first, first_time] = in_batch->try_emplace(key, item);
    if (first_time) return OkStatus();
    if (reject) return UniqueKeyTwice(spec, first->second);
    submission.twins_[item] = first->second;
  }
  ack.existing = true;
  ++submission.jobs_[item]->pool->submitted[static_cast<size_t>(SubmitResult::kExisting)];
  submission.jobs_[item].reset();
  return OkStatus();
}

Status Admission::CheckKeyToRetry(const JobRecord& job) const {
  const JobSpec& spec = *job.spec;
  if (!spec.unique_key) return OkStatus();
  const std::optional<JobId> holder = core_.unique_keys.Holder(UniqueKeys::DigestOf(spec));
  if (!holder) return OkStatus();
  const JobEntry* other = core_.table.Find(*holder);
  return other != nullptr && !other->hidden ? UniqueKeyLost(job, *holder) : UniqueKeyInProgress(spec);
}

}  // namespace millrace::dispatch
