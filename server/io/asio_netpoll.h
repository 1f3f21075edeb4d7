// AsioNetpoller: the runtime's poller as one asio::io_context, so that every operation Asio knows can be waited for on
// a fiber.
//
//   Running    Only the runtime runs the context (rt::Netpoller::Wait: one machine at a time, without a processor).
//              Operations are started by any number of fibers meanwhile.
//   Handlers   Those of io::await and io/descriptor store a result and ready a fiber. Give this context no others: what
//              runs long here holds up all I/O, and what throws ends the process.
//   Counting   An operation that a fiber waits for is counted from before its start until its handler runs (Watching).
//   Lifetime   As the Runtime's. No I/O object may outlive it.
#pragma once

#include <atomic>
#include <cstdint>

#include "io/asio.h"
#include "io/unique_fd.h"
#include "runtime/netpoll.h"

namespace millrace::io {

struct NetpollStats {
  uint64_t waits = 0;      // Returns of Wait.
  uint64_t completed = 0;  // Operations of fibers that have ended.
  int64_t watching = 0;    // Operations that fibers wait for.
};

class AsioNetpoller final : public rt::Netpoller {
 public:
  AsioNetpoller();
  ~AsioNetpoller() override;
  AsioNetpoller(const AsioNetpoller&) = delete;
  AsioNetpoller& operator=(const AsioNetpoller&) = delete;

  // The poller of the calling fiber's runtime, which gets one if it has none. Fatal on a plain thread.
  static AsioNetpoller& Current();

  void Wait(int64_t deadline_ns) override;
  bool Watching() const override { return watching_.load(std::memory_order_seq_cst) > 0; }
  void Interrupt() override;

  asio::io_context& context() { return context_; }
  NetpollStats Stats() const;

  // For Operation: around the time that a fiber waits.
  void BeginWatching() { watching_.fetch_add(1, std::memory_order_seq_cst); }
  void EndWatching() { watching_.fetch_sub(1, std::memory_order_seq_cst); }
  // In a handler that readies a fiber: Wait is to return when it is through.
  void NoteNews() { ++news_; }
  void CountCompleted() {
    NoteNews();
    completed_.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
  void ListenForBell();
  void ListenForAlarm();
  void SetAlarm(int64_t deadline_ns);

  // 1: one machine at a time runs it. Asio then wakes nobody for the handlers that this one will get to.
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};

  // Interrupt comes from the scheduler, which may neither take Asio's locks nor allocate, so it rings an eventfd that
  // Asio watches.
  Descriptor bell_{context_};
  int bell_fd_;
  std::atomic<bool> rung_{false};  // The eventfd is readable, or is about to be.

  // epoll_wait counts in milliseconds and Asio's run_until wakes up every second, so the deadline has a timerfd.
  Descriptor alarm_{context_};
  int alarm_fd_;
  int64_t alarm_ns_;  // What it is set to.

  uint64_t news_ = 0;  // Reasons for Wait to return. Of the machine in Wait.
  std::atomic<uint64_t> waits_{0};
  std::atomic<uint64_t> completed_{0};
  std::atomic<int64_t> watching_{0};
};

// For I/O objects: `asio::steady_timer timer(io::Context(), 10ms);`
inline asio::io_context& Context() { return AsioNetpoller::Current().context(); }

}  // namespace millrace::io
