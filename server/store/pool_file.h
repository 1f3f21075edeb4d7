// PoolFile: dispatch/pool_memory.h in a small file beside the store (FORMAT.md), replaced as a whole. It is no part of
// the store, as it holds no job: a backup leaves it out, so a daemon that is started on a copy begins with every pool
// active.
#pragma once

#include <string>

#include "base/thread_mutex.h"
#include "dispatch/pool_memory.h"

namespace millrace::store {

class PoolFile final : public dispatch::PoolMemory {
 public:
  explicit PoolFile(std::string path) : path_(std::move(path)) {}

  // FAILED_PRECONDITION POOLS_UNREADABLE: this is no such file, or one of a later version.
  Result<dispatch::PoolWishes> Load() override;
  Status Keep(uint64_t version, const dispatch::PoolWishes& wishes) override;

 private:
  const std::string path_;
  ThreadMutex mutex_;  // Guards the file as well.
  uint64_t written_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::store
