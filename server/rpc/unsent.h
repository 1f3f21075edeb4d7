// Unsent: answers that are on their way, and pieces of a stream that are awaited, so that a client that reads none of
// them, or sends none, is cut instead of keeping their memory.
//
//   Why       For gRPC a connection is alive as long as pings come back. A client whose HTTP/2 window is closed answers
//             pings, and what it asked for stays in our memory.
//   Patience  A client that has not taken an answer, or one item of a stream, after `patience` is cut: CANCELLED. So
//             this is also the time in which the largest answer has to cross the network. A worker that writes a result
//             has as long for each piece.
//   Cost      Two short locks a call, spread over several lists.
//   Threads   Any. Start and Stop: one plain thread at a time. Cut is called with a list's lock held: it may cancel its
//             call in gRPC and must not add or remove one.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/status.h"

namespace millrace::rpc {

class Unsent {
 public:
  using Time = std::chrono::steady_clock::time_point;

  class Entry {
   public:
    virtual ~Entry() = default;
    virtual void Cut() = 0;

   private:
    friend class Unsent;
    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
    bool listed_ = false;
    Time since_{};
  };

  explicit Unsent(std::chrono::milliseconds patience) : patience_(patience) {}
  ~Unsent() { Stop(); }
  Unsent(const Unsent&) = delete;
  Unsent& operator=(const Unsent&) = delete;

  // UNAVAILABLE NO_THREAD.
  Status Start();
  void Stop();

  void Add(Entry* entry, Time now);
  // Does nothing for an entry that was not added. When it returns, Cut is not running and is not called later.
  void Remove(Entry* entry);

 private:
  // In the order of Add, so that the first is the oldest.
  struct alignas(64) List {
    std::mutex lock;
    Entry* first = nullptr;
    Entry* last = nullptr;
  };

  List& ListOf(const Entry* entry);
  static void Unlink(List& list, Entry* entry);
  void Run();
  void CutOld(Time before);

  const std::chrono::milliseconds patience_;
  std::array<List, 16> lists_;
  std::mutex stop_lock_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::rpc
