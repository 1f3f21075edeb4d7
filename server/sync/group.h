// Group: fibers that work on one thing. The first that fails brings its error home and stops the others. Go's errgroup.
//
//   Group group(token, {.limit = 8});
//   for (const Page& page : pages) group.Go([&] { return Fetch(page, group.token()); });
//   MR_RETURN_IF_ERROR(group.Wait());
//
//   Task      Returns a Status, or nothing. What it has captured is gone before Wait returns.
//   Failure   A Status that is not OK, or an exception: the first one is the group's. Wait returns the Status or throws
//             the exception.
//   Token     Cancelled by the first failure, with its Status, by the parent, and at the end. Tasks look at it; none is
//             stopped by force.
//   Limit     At most so many tasks at once; Go waits for room, TryGo does not. 0: as many as there are.
//   Copies    What the copy of a task throws, Go and TryGo throw; the group is as before.
//   Callers   Go, TryGo: fibers, tasks of the group included (with a limit that may wait for itself). Wait: anyone,
//             once.
//   Lifetime  The destructor of a group that nobody waited for, as after an exception, cancels and waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "runtime/runtime.h"
#include "sync/cancel.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"

namespace millrace::sync {

struct GroupOptions {
  int64_t limit = 0;
  rt::FiberOptions fiber;
};

class Group {
 public:
  explicit Group(GroupOptions options = {}) : Group(CancelToken(), options) {}
  explicit Group(const CancelToken& parent, GroupOptions options = {});
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  CancelToken token() const { return source_.token(); }

  template <typename F>
  void Go(F&& task) {
    if (room_) room_->Acquire();
    Start(std::forward<F>(task));
  }
  // False: the limit is reached; the task is still the caller's.
  template <typename F>
  [[nodiscard]] bool TryGo(F&& task) {
    if (room_ && !room_->TryAcquire()) return false;
    Start(std::forward<F>(task));
    return true;
  }

  Status Wait();

 private:
  template <typename F>
  void Start(F&& task) {
    tasks_.Add(1);
    try {
      rt::Go(options_.fiber, [this, task = std::forward<F>(task)]() mutable {
        Run(std::move(task));
        Ended();
      });
    } catch (...) {  // The task's copy threw: there is no fiber.
      Ended();
      throw;
    }
  }
  void Ended() {
    if (room_) room_->Release();
    tasks_.Done();
  }
  template <typename F>
  void Run(F task) {
    using Returned = std::invoke_result_t<F&>;
    static_assert(std::is_void_v<Returned> || std::is_same_v<Returned, Status>, "a task returns a Status or nothing");
    try {
      if constexpr (std::is_void_v<Returned>) {
        task();
      } else if (Status status = task(); !status.ok()) {
        Fail(std::move(status), nullptr);
      }
    } catch (...) {
      FailByException();
    }
  }
  void FailByException();
  void Fail(Status why, std::exception_ptr thrown);

  const GroupOptions options_;
  CancelSource source_;
  WaitGroup tasks_;
  std::optional<Semaphore> room_;
  std::atomic<bool> failed_{false};
  // The error of the task that set failed_; read when all have ended.
  Status first_;
  std::exception_ptr thrown_;
};

}  // namespace millrace::sync
