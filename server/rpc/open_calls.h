// OpenCalls: the calls that may last (waits, watches, submit streams), so that a stopping server can end each with an
// answer instead of cutting the connection.
//
//   Ownership  A call adds itself when it is ready to be ended and removes itself before it dies.
//   Threads    Any. OnClosing runs with the list's lock held: it may finish its call but not add or remove one.
#pragma once

#include <mutex>

#include "base/status.h"

namespace millrace::rpc {

class OpenCalls {
 public:
  class Call {
   public:
    virtual ~Call() = default;
    // Called once at most: answer UNAVAILABLE as soon as possible.
    virtual void OnClosing() = 0;

   private:
    friend class OpenCalls;
    Call* previous_ = nullptr;
    Call* next_ = nullptr;
    bool listed_ = false;
  };

  OpenCalls() = default;
  OpenCalls(const OpenCalls&) = delete;
  OpenCalls& operator=(const OpenCalls&) = delete;

  // After Close: calls OnClosing at once.
  void Add(Call* call);
  // Does nothing for a call that was not added. When it returns, OnClosing of the call is not running.
  void Remove(Call* call);
  void Close();

 private:
  std::mutex mutex_;
  Call* first_ = nullptr;
  bool closed_ = false;
};

// What an ended call tells its client.
Status ClosingStatus();

}  // namespace millrace::rpc
