#define XXH_INLINE_ALL
#include "dispatch/unique_keys.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

namespace millrace::dispatch {

namespace {

std::string Named(const JobSpec& spec) {
  return "unique_key '" + spec.unique_key->key + "' of kind '" + spec.kind + "' in pool '" + spec.pool + "'";
}

Status About(const JobSpec& spec, Status status) {
  return std::move(status).Field("spec.unique_key").With("unique_key", spec.unique_key->key);
}

}  // namespace

UniqueKeys::Digest UniqueKeys::DigestOf(const JobSpec& spec) {
  // Neither names nor keys have a character 0 (job/validate.h).
  std::string whole;
  whole.reserve(spec.pool.size() + spec.kind.size() + spec.unique_key->key.size() + 2);
  whole.append(spec.pool).push_back('\0');
  whole.append(spec.kind).push_back('\0');
  whole.append(spec.unique_key->key);
  const XXH128_hash_t hash = XXH3_128bits(whole.data(), whole.size());
  return {hash.high64, hash.low64};
}

bool UniqueKeys::InScope(UniqueScope scope, JobState state) {
  switch (state) {
    case JobState::kScheduled:
    case JobState::kBlocked:
    case JobState::kQueued:
      return true;
    case JobState::kRunning:
      return scope == UniqueScope::kWhileUnfinished;
    default:
      return false;
  }
}

UniqueKeys::Holders::iterator UniqueKeys::Find(const Digest& key, const JobId& job) {
  auto [first, end] = holders_.equal_range(key);
  auto found = std::find_if(first, end, [&](const auto& holder) { return holder.second == job; });
  return found == end ? holders_.end() : found;
}

void UniqueKeys::Add(const JobId& job, const JobSpec& spec, JobState state) {
  if (spec.unique_key && InScope(spec.unique_key->scope, state)) holders_.emplace(DigestOf(spec), job);
}

void UniqueKeys::Remove(const JobId& job, const JobSpec& spec) {
  if (!spec.unique_key) return;
  // Not there: it gave its key away when it started.
  if (auto found = Find(DigestOf(spec), job); found != holders_.end()) holders_.erase(found);
}

void UniqueKeys::Moved(const JobId& job, const JobSpec& spec, JobState from, JobState to) {
  if (!spec.unique_key || IsTerminal(to)) return;
  const UniqueScope scope = spec.unique_key->scope;
  if (InScope(scope, from) == InScope(scope, to)) return;
  if (InScope(scope, from)) {
    Remove(job, spec);
  } else {
    Add(job, spec, to);
  }
}

bool UniqueKeys::Matters(JobState from, JobState to) {
  return InScope(UniqueScope::kWhileQueued, from) != InScope(UniqueScope::kWhileQueued, to) && !IsTerminal(to);
}

std::optional<JobId> UniqueKeys::Holder(const Digest& key) const {
  auto [first, end] = holders_.equal_range(key);
  if (first == end) return std::nullopt;
  return std::min_element(first, end, [](const auto& a, const auto& b) { return a.second < b.second; })->second;
}

Status UniqueKeyTaken(const JobSpec& spec, const JobId& holder) {
  return About(spec, AlreadyExists("UNIQUE_KEY_TAKEN",
                                   Named(spec) + " is held by job " + holder.ToString() +
                                       "; wait for that job, or submit with on_taken RETURN_EXISTING to be given it"))
      .With("job", holder.ToString());
}

Status UniqueKeyTwice(const JobSpec& spec, size_t holder) {
  return About(spec, AlreadyExists("UNIQUE_KEY_TAKEN", Named(spec) + " is that of requests[" + std::to_string(holder) +
                                                           "] as well; send one of them, or this one with on_taken "
                                                           "RETURN_EXISTING"));
}

Status UniqueKeyInProgress(const JobSpec& spec) {
  return About(spec, Unavailable("UNIQUE_KEY_IN_PROGRESS",
                                 "the submit that holds " + Named(spec) + " is not answered yet; repeat"));
}

Status UniqueKeyLost(const JobRecord& job, const JobId& holder) {
  return About(*job.spec,
               FailedPrecondition("UNIQUE_KEY_TAKEN", "job " + job.id.ToString() + " cannot be retried while job " +
                                                          holder.ToString() + " holds " + Named(*job.spec) +
                                                          "; wait for that job, or cancel it"))
      .With("job", holder.ToString());
}

}  // namespace millrace::dispatch
