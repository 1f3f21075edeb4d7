// RemoteRunner: kinds that workers in other processes run (dispatch/leases.h). They need no configuration: any name is
// a kind, and a job whose kind nobody offers waits.
//
//   Threads    Any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/thread_annotations.h"
#include "dispatch/runner.h"
#include "runtime/lock.h"

namespace millrace::runners {

class RemoteRunner final : public dispatch::Runner {
 public:
  static constexpr std::string_view kName = "remote";
  // Names come from clients, and each is kept.
  static constexpr size_t kKindsMax = 10'000;

  // `home`: the pool of jobs that name none.
  explicit RemoteRunner(std::string home) : home_(std::move(home)) {}

  std::string_view name() const override { return kName; }
  bool leases() const override { return true; }
  // nullptr: it is no name of a kind, or there are too many.
  const dispatch::KindOptions* FindKind(std::string_view kind) const override;
  std::vector<std::string> Kinds() const override;  // Those that were asked for.
  dispatch::AttemptOutcome Run(dispatch::AttemptContext& attempt) override;

 private:
  const std::string home_;
  mutable rt::Lock lock_;
  mutable std::unordered_map<std::string, std::unique_ptr<const dispatch::KindOptions>> kinds_ MR_GUARDED_BY(lock_);
};

}  // namespace millrace::runners
