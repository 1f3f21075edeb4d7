#include "rpc/open_calls.h"

namespace millrace::rpc {

void OpenCalls::Add(Call* call) {
  {
    std::lock_guard guard(mutex_);
    if (!closed_) {
      call->listed_ = true;
      call->next_ = first_;
      if (first_ != nullptr) first_->previous_ = call;
      first_ = call;
      return;
    }
  }
  call->OnClosing();
}

void OpenCalls::Remove(Call* call) {
  // Only the call's own Add and Remove write this, so a call that never was in the list takes no lock.
  if (!call->listed_) return;
  std::lock_guard guard(mutex_);
  call->listed_ = false;
  (call->previous_ != nullptr ? call->previous_->next_ : first_) = call->next_;
  if (call->next_ != nullptr) call->next_->previous_ = call->previous_;
}

void OpenCalls::Close() {
  std::lock_guard guard(mutex_);
  if (closed_) return;
  closed_ = true;
  for (Call* call = first_; call != nullptr; call = call->next_) call->OnClosing();
}

Status ClosingStatus() {
  return Unavailable("DRAINING", "the daemon is stopping: repeat the call elsewhere, or here once it runs again");
}

}  // namespace millrace::rpc
