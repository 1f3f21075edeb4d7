// UniqueKeys: which job holds a unique key, so that a submit with the same key gets that job, or is refused, instead of
// making a second one.
//
//   Held       From its acceptance, while its state is in the scope it was submitted with: SCHEDULED, BLOCKED and
//              QUEUED, or RUNNING as well. The holder's scope decides, not the scope of whoever comes later. An end
//              that is not committed yet is no end: clients still see the job running.
//   Space      A key belongs to a pool and a kind, as in Faktory, asynq and Oban. Whoever is given another's job must
//              be able to take it for his own: the job of another kind does other work, and one of another pool waits
//              in another line. Keys that meet by chance would lose work, keys that miss each other do some of it
//              twice, which every handler has to stand anyway.
//   Several    A job whose scope is WHILE_QUEUED gives its key away when it starts. When its attempt fails, another may
//              have taken it: then both wait, and both hold the key until each starts, because nothing that was
//              acknowledged is dropped (River discards the one that comes back). The older one is named. Nobody can
//              join them meanwhile.
//   Derived    Which job holds which key follows from the states and specs of the jobs, so nothing of it is stored, and
//              it is the same after a restart.
//   Memory     A digest of 128 bits (XXH3) stands for pool, kind and key: some 56 bytes a job, however long the key.
//              That two of 2^40 keys have the same is a matter of one in 2^49.
//   Threads    Guarded by the dispatcher's lock; DigestOf is a pure function.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/status.h"
#include "dispatch/journal.h"
#include "job/job.h"

namespace millrace::dispatch {

class UniqueKeys {
 public:
  struct Digest {
    uint64_t high = 0, low = 0;
    auto operator<=>(const Digest&) const = default;
  };
  // The key of a spec that has a unique key and a pool.
  static Digest DigestOf(const JobSpec& spec);

  // Does a job hold its key in this state?
  static bool InScope(UniqueScope scope, JobState state);

  // ---- Of jobs without a key these do nothing
  // A job that was accepted or recovered: it holds its key if its state is in scope.
  void Add(const JobId& job, const JobSpec& spec, JobState state);
  // It was not accepted after all, or its end is committed.
  void Remove(const JobId& job, const JobSpec& spec);
  // One that has ended holds on to its key until Remove.
  void Moved(const JobId& job, const JobSpec& spec, JobState from, JobState to);
  // May Moved have something to do? Where a job goes on waiting it has not, so no spec is needed for that.
  static bool Matters(JobState from, JobState to);

  // The oldest one that holds the key; nullopt: nobody does.
  std::optional<JobId> Holder(const Digest& key) const;

  size_t size() const { return holders_.size(); }

 private:
  struct Hash {
    size_t operator()(const Digest& digest) const noexcept { return digest.low; }
  };
  using Holders = std::unordered_multimap<Digest, JobId, Hash>;
  Holders::iterator Find(const Digest& key, const JobId& job);

  Holders holders_;
};

// ALREADY_EXISTS UNIQUE_KEY_TAKEN: a submit that wants no other's job. `holder` has the key.
Status UniqueKeyTaken(const JobSpec& spec, const JobId& holder);
// The same inside a batch: item `holder` has it.
Status UniqueKeyTwice(const JobSpec& spec, size_t holder);
// UNAVAILABLE UNIQUE_KEY_IN_PROGRESS: whether the holder is accepted is not known yet, and a retry does not wait for
// it.
Status UniqueKeyInProgress(const JobSpec& spec);
// FAILED_PRECONDITION UNIQUE_KEY_TAKEN: `job`, which has ended, cannot be retried now.
Status UniqueKeyLost(const JobRecord& job, const JobId& holder);

}  // namespace millrace::dispatch
