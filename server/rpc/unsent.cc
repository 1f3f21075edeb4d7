#include "rpc/unsent.h"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <system_error>

namespace millrace::rpc {

Status Unsent::Start() {
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error& error) {
    return Unavailable("NO_THREAD", std::string("cannot start the thread that looks after answers: ") + error.what() +
                                        "; raise the limit of processes (ulimit -u)");
  }
  pthread_setname_np(thread_.native_handle(), "millrace-unsent");
  return OkStatus();
}

void Unsent::Stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard guard(stop_lock_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

Unsent::List& Unsent::ListOf(const Entry* entry) {
  return lists_[(reinterpret_cast<uintptr_t>(entry) >> 8) % lists_.size()];
}

void Unsent::Add(Entry* entry, Time now) {
  List& list = ListOf(entry);
  std::lock_guard guard(list.lock);
  entry->listed_ = true;
  entry->since_ = now;
  entry->next_ = nullptr;
  entry->previous_ = list.last;
  (list.last != nullptr ? list.last->next_ : list.first) = entry;
  list.last = entry;
}

void Unsent::Remove(Entry* entry) {
  List& list = ListOf(entry);
  std::lock_guard guard(list.lock);
  if (entry->listed_) Unlink(list, entry);
}

void Unsent::Unlink(List& list, Entry* entry) {
  entry->listed_ = false;
  (entry->previous_ != nullptr ? entry->previous_->next_ : list.first) = entry->next_;
  (entry->next_ != nullptr ? entry->next_->previous_ : list.last) = entry->previous_;
}

void Unsent::Run() {
  const auto pause = std::max<std::chrono::milliseconds>(patience_ / 4, std::chrono::milliseconds(10));
  std::unique_lock guard(stop_lock_);
  while (!stop_changed_.wait_for(guard, pause, [this] { return stop_; })) {
    guard.unlock();
    CutOld(std::chrono::steady_clock::now() - patience_);
    guard.lock();
  }
}

void Unsent::CutOld(Time before) {
  for (List& list : lists_) {
    std::lock_guard guard(list.lock);
    while (list.first != nullptr && list.first->since_ <= before) {
      Entry* const entry = list.first;
      Unlink(list, entry);
      entry->Cut();
    }
  }
}

}  // namespace millrace::rpc
