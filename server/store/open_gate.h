// OpenGate: keeps what is open so while somebody is inside.
#pragma once

#include <condition_variable>
#include <mutex>

namespace millrace::store {

// Who reads holds the store open. Only threads that may sleep come here: none of a fiber's that can be stopped inside.
class OpenGate {
 public:
  // False: it is not open now.
  bool Enter() {
    std::lock_guard guard(lock_);
    if (!open_) return false;
    ++inside_;
    return true;
  }
  void Leave() {
    std::lock_guard guard(lock_);
    if (--inside_ == 0) left_.notify_all();
  }
  void Open() {
    std::lock_guard guard(lock_);
    open_ = true;
  }
  void Close() {
    std::unique_lock guard(lock_);
    open_ = false;
    left_.wait(guard, [this] { return inside_ == 0; });
  }

 private:
  std::mutex lock_;
  std::condition_variable left_;
  bool open_ = false;
  int inside_ = 0;
};

class Inside {
 public:
  explicit Inside(OpenGate& gate) : gate_(gate), entered_(gate.Enter()) {}
  ~Inside() {
    if (entered_) gate_.Leave();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  OpenGate& gate_;
  const bool entered_;
};

}  // namespace millrace::store
