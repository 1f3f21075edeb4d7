#include "sync/group.h"

#include <string>

#include "base/check.h"

namespace millrace::sync {

Group::Group(const CancelToken& parent, GroupOptions options) : options_(options), source_(parent) {
  MR_CHECK(options.limit >= 0, "GroupOptions::limit is %lld; use 0 for no limit",
           static_cast<long long>(options.limit));
  if (options.limit > 0) room_.emplace(options.limit);
}

Group::~Group() {
  source_.Cancel(millrace::Cancelled("GROUP_ENDED", "the group is being destroyed and waits for its tasks"));
  tasks_.Wait();
}

void Group::Fail(Status why, std::exception_ptr thrown) {
  if (failed_.exchange(true, std::memory_order_relaxed)) return;
  first_ = why;
  thrown_ = std::move(thrown);
  source_.Cancel(std::move(why));
}

void Group::FailByException() {
  std::string what = "an exception that is no std::exception";
  try {
    throw;
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {  // Only std::exception has words.
  }
  Fail(Internal("TASK_THREW", "a task of the group threw: " + what), std::current_exception());
}

Status Group::Wait() {
  tasks_.Wait();
  source_.Cancel(millrace::Cancelled("GROUP_ENDED", "all tasks of the group have ended"));
  if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
  return std::move(first_);
}

}  // namespace millrace::sync
