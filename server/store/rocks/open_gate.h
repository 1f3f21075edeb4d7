// OpenGate: keeps what is open so while somebody is inside.
#pragma once

#include <condition_variable>
#include <mutex>

namespace millrace::store {

// Who reads holds the store open, and waits while it is being opened anew. Only threads that may sleep come here: none of a fiber's that can be stopped inside.
class OpenGate {
 public:
  // False: it is not open now.
  bool Enter() {
    std::unique_lock guard(lock_);
    settled_.wait(guard, [this] { return !changing_; });
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
    changing_ = false;
    settled_.notify_all();
  }
  // Open or StayClosed is to follow.
  void Close() {
    std::unique_lock guard(lock_);
    open_ = false;
    changing_ = true;
    left_.wait(guard, [this] { return inside_ == 0; });
  }
  // Nothing where it was opened.
  void StayClosed() {
    std::lock_guard guard(lock_);
    changing_ = false;
    settled_.notify_all();
  }

 private:
  std::mutex lock_;
  std::condition_variable left_, settled_;
  bool open_ = false;
  bool changing_ = false;
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
