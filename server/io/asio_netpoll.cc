#include "io/asio_netpoll.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>

#include "base/check.h"
#include "runtime/runtime.h"

#if defined(__SANITIZE_THREAD__)
// Asio keeps in a thread-local whether its loop runs on this thread. ThreadSanitizer takes fibers for threads, so to it
// a machine in Wait and a fiber on the same machine later seem to share that variable unordered. Asio's thread for name
// look-ups hands its result to a machine, whose own work is hidden (runtime/sanitizers.h).
extern "C" const char* __tsan_default_suppressions() {
  return "race:asio::detail::keyword_tss_ptr\nrace:asio::detail::socket_ops::background_getaddrinfo\n";
}
#endif

namespace millrace::io {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// How many handlers one Wait runs at most before the runtime may look at its timers again.
constexpr int kHandlersMax = 256;

// A write to a pipe that nobody reads is an error of that write and not the end of the process. By a handler that does
// nothing, because SIG_IGN would be inherited by the programs this one starts.
void SurviveBrokenPipes() {
  static const bool once = [] {
    struct sigaction now {};
    if (sigaction(SIGPIPE, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) return true;
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    nothing.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(SIGPIPE, &nothing, nullptr);
    return true;
  }();
  (void)once;
}

}  // namespace

AsioNetpoller& AsioNetpoller::Current() {
  return static_cast<AsioNetpoller&>(
      rt::UseNetpoller([]() -> std::unique_ptr<rt::Netpoller> { return std::make_unique<AsioNetpoller>(); }));
}

AsioNetpoller::AsioNetpoller()
    : bell_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      alarm_fd_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      alarm_ns_(kNever) {
  MR_CHECK(bell_fd_ >= 0 && alarm_fd_ >= 0, "no descriptors for the I/O poller: errno %d", errno);
  SurviveBrokenPipes();
  bell_.assign(bell_fd_);
  alarm_.assign(alarm_fd_);
  ListenForBell();
  ListenForAlarm();
}

AsioNetpoller::~AsioNetpoller() = default;

void AsioNetpoller::Wait(int64_t deadline_ns) {
  SetAlarm(deadline_ns);
  const uint64_t before = news_;
  // Asio's run_one also returns for events that nobody waits for: bytes on a connection whose fiber is busy.
  do MR_CHECK(context_.run_one() > 0, "the io_context of the runtime was stopped");
  while (news_ == before);
  for (int i = 1; i < kHandlersMax && context_.poll_one() > 0; ++i) {
  }
  waits_.fetch_add(1, std::memory_order_relaxed);
}

void AsioNetpoller::Interrupt() {
  // seq_cst: what the caller published before is seen by a Wait that finds rung_ set; partner: ListenForBell.
  if (!rung_.exchange(true, std::memory_order_seq_cst)) eventfd_write(bell_fd_, 1);
}

void AsioNetpoller::ListenForBell() {
  bell_.async_wait(Descriptor::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    NoteNews();
    eventfd_t rings;
    eventfd_read(bell_fd_, &rings);
    // After the read: a ring that comes in between is covered by this Wait, which is about to return. The other way
    // round its write could be read here while rung_ stays set, and no bell would ring again.
    rung_.exchange(false, std::memory_order_seq_cst);
    ListenForBell();
  });
}

void AsioNetpoller::ListenForAlarm() {
  alarm_.async_wait(Descriptor::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    uint64_t expirations;
    // EAGAIN: it was set anew after it had gone off.
    if (::read(alarm_fd_, &expirations, sizeof expirations) > 0) {
      NoteNews();
      alarm_ns_ = kNever;
    }
    ListenForAlarm();
  });
}

void AsioNetpoller::SetAlarm(int64_t deadline_ns) {
  if (deadline_ns == alarm_ns_) return;
  alarm_ns_ = deadline_ns;
  itimerspec at{};  // All zero: never.
  if (deadline_ns != kNever) {
    int64_t ns = std::max<int64_t>(deadline_ns, 1);
    at.it_value = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  }
  MR_CHECK(timerfd_settime(alarm_fd_, TFD_TIMER_ABSTIME, &at, nullptr) == 0, "cannot set a timer: errno %d", errno);
}

NetpollStats AsioNetpoller::Stats() const {
  return {.waits = waits_.load(std::memory_order_relaxed),
          .completed = completed_.load(std::memory_order_relaxed),
          .watching = watching_.load(std::memory_order_relaxed)};
}

}  // namespace millrace::io
