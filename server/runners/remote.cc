#include "runners/remote.h"

#include <algorithm>

#include "job/validate.h"

namespace millrace::runners {

using dispatch::KindOptions;

const KindOptions* RemoteRunner::FindKind(std::string_view kind) const {
  std::string name(kind);
  if (!IsKindName(name)) return nullptr;
  rt::LockGuard guard(lock_);
  auto known = kinds_.find(name);
  if (known == kinds_.end()) {
    if (kinds_.size() >= kKindsMax) return nullptr;
    auto options = std::make_unique<const KindOptions>(KindOptions{.name = name, .pool = home_});
    known = kinds_.emplace(std::move(name), std::move(options)).first;
  }
  return known->second.get();
}

std::vector<std::string> RemoteRunner::Kinds() const {
  std::vector<std::string> names;
  {
    rt::LockGuard guard(lock_);
    names.reserve(kinds_.size());
    for (const auto& [name, kind] : kinds_) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

dispatch::AttemptOutcome RemoteRunner::Run(dispatch::AttemptContext&) {
  return dispatch::AttemptOutcome::Failed("workers in other processes run the jobs of this pool");
}

}  // namespace millrace::runners
