#include "base/log_queue.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace millrace {
namespace {

// Waits for stderr, however long that takes. What stderr refuses for good is lost, as when its reader has gone.
void WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(STDERR_FILENO, text.data(), text.size());
    if (wrote > 0) {
      text.remove_prefix(static_cast<size_t>(wrote));
    } else if (wrote < 0 && errno == EAGAIN) {  // Another process that shares stderr has made it non-blocking.
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (wrote == 0 || errno != EINTR) {
      return;
    }
  }
}

}  // namespace

void LogQueue::Start(std::function<void(uint64_t)> tell) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(started_, true)) return;
  }
  tell_ = std::move(tell);
  // Signals are for the threads that expect them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread writer([this] { Run(); });
    pthread_setname_np(writer.native_handle(), "millrace-log");
    writer.detach();
  } catch (const std::system_error&) {
    std::lock_guard lock(mutex_);
    started_ = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void LogQueue::Write(std::string_view lines) {
  {
    std::lock_guard lock(mutex_);
    if (started_) {
      // An empty queue takes a message of any size: it would never fit otherwise.
      if (dropped_ > 0 || (!waiting_.empty() && waiting_.size() + lines.size() > kBytesMax)) {
        ++dropped_;
        return;
      }
      try {
        waiting_ += lines;
      } catch (const std::bad_alloc&) {
        ++dropped_;
        return;
      }
      arrived_.notify_one();
      return;
    }
  }
  WriteAll(lines);
}

bool LogQueue::Flush(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return !started_ || written_.wait_for(lock, patience, [this] { return waiting_.empty() && !writing_; });
}

void LogQueue::Run() {
  std::string batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    writing_ = false;
    if (waiting_.empty() && dropped_ == 0) {
      written_.notify_all();
      arrived_.wait(lock, [this] { return !waiting_.empty(); });
    }
    writing_ = true;
    batch.clear();
    batch.swap(waiting_);
    // After the first line that was dropped the queue took nothing, so the line that tells of it follows this batch.
    const uint64_t gap = std::exchange(dropped_, 0);
    lock.unlock();
    if (gap > 0) tell_(gap);
    WriteAll(batch);
    lock.lock();
  }
}

}  // namespace millrace
