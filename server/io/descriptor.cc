#include "io/descriptor.h"

#include <sys/epoll.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "io/io_error.h"
#include "io/operation.h"
#include "runtime/sanitizers.h"

namespace millrace::io {
namespace {

using DescriptorStream = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

// For ThreadSanitizer Asio's own work is hidden, also where fibers do it: its queues link what lies on the stacks of
// fibers that have not met (runtime/sanitizers.h).

// users: the lowest bit says closed, the others count the calls under way.
constexpr uint32_t kClosed = 1;
constexpr uint32_t kOneUser = 2;

struct WaitFrame {
  explicit WaitFrame(AsioNetpoller& poller) : operation(poller) {}
  void Store(const asio::error_code& e) { error = e; }

  internal::Operation operation;
  asio::error_code error;
};

}  // namespace

struct Descriptor::State {
  State(AsioNetpoller& its_poller, std::string its_name, rt::WaitReason its_reason)
      : poller(its_poller), stream(poller.context()), name(std::move(its_name)), reason(its_reason) {}

  AsioNetpoller& poller;
  // What Asio watches: the descriptor, or an epoll of our own around a borrowed one (Asio makes what it watches
  // non-blocking).
  DescriptorStream stream;
  const std::string name;
  const rt::WaitReason reason;
  int fd = -1;  // What the calls get.
  bool borrowed = false;
  bool always_ready = false;

  // Asio's objects are for one user at a time: held while a wait is started, or cancelled. Never while parked.
  std::mutex mutex;
  std::atomic<uint32_t> users{0};
  rt::Parker drained;  // For Close: woken by the last user that leaves.
};

// A call under way.
class Descriptor::User {
 public:
  explicit User(State* state) : state_(state) {
    if (state_ == nullptr) return;
    uint32_t users = state_->users.load(std::memory_order_relaxed);
    do {
      if ((users & kClosed) != 0) {
        state_ = nullptr;
        return;
      }
    } while (!state_->users.compare_exchange_weak(users, users + kOneUser, std::memory_order_acquire,
                                                  std::memory_order_relaxed));
  }
  ~User() {
    // acq_rel: what we did to the descriptor comes before its close; partner: Close.
    if (state_ != nullptr && state_->users.fetch_sub(kOneUser, std::memory_order_acq_rel) == (kOneUser | kClosed)) {
      state_->drained.Wake();
    }
  }
  User(const User&) = delete;
  User& operator=(const User&) = delete;
  explicit operator bool() const { return state_ != nullptr; }

 private:
  State* state_;
};

Descriptor::Descriptor() = default;
Descriptor::Descriptor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Descriptor::Descriptor(Descriptor&&) noexcept = default;
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Close();
    state_ = std::move(other.state_);
  }
  return *this;
}
Descriptor::~Descriptor() { Close(); }

Result<Descriptor> Descriptor::Adopt(UniqueFd fd, std::string name, rt::WaitReason reason) {
  rt::sanitizers::IgnoreScope ignore;
  auto state = std::make_unique<State>(AsioNetpoller::Current(), std::move(name), reason);
  asio::error_code error;
  state->stream.assign(fd.get(), error);
  if (error) return IoError(error.value(), "cannot watch " + state->name);
  state->fd = fd.Release();
  return Descriptor(std::move(state));
}

Result<Descriptor> Descriptor::Borrow(int fd, Direction direction, std::string name) {
  rt::sanitizers::IgnoreScope ignore;
  auto state = std::make_unique<State>(AsioNetpoller::Current(), std::move(name), rt::WaitReason::kIo);
  state->fd = fd;
  state->borrowed = true;
  UniqueFd watch(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = direction == Direction::kRead ? EPOLLIN : EPOLLOUT;
  if (!watch.valid() || epoll_ctl(watch.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    if (!watch.valid() || errno != EPERM) return IoError(errno, "cannot watch " + state->name);
    state->always_ready = true;  // A regular file, or /dev/null.
    return Descriptor(std::move(state));
  }
  asio::error_code error;
  state->stream.assign(watch.get(), error);
  if (error) return IoError(error.value(), "cannot watch " + state->name);
  (void)watch.Release();
  return Descriptor(std::move(state));
}

Result<size_t> Descriptor::DoCall(Direction direction, const char* verb, const Until& until,
                                  ssize_t (*call)(int fd, void* closure), void* closure) {
  User user(state_.get());
  if (!user) return ClosedError(CannotText(verb));
  if (until.cancel.cancelled()) return StoppedError(until, true, CannotText(verb));
  if (until.expired()) return StoppedError(until, false, CannotText(verb));
  for (bool wait_first = state_->borrowed;; wait_first = true) {
    if (wait_first) MR_RETURN_IF_ERROR(WaitReady(direction, verb, until));
    ssize_t done;
    do done = call(state_->fd, closure);
    while (done == -EINTR);
    if (done >= 0) return static_cast<size_t>(done);
    if (done != -EAGAIN) return IoError(static_cast<int>(-done), CannotText(verb));
  }
}

Status Descriptor::Wait(Direction direction, const char* verb, const Until& until) {
  User user(state_.get());
  if (!user) return ClosedError(CannotText(verb));
  return WaitReady(direction, verb, until);
}

Status Descriptor::WaitReady(Direction direction, const char* verb, const Until& until) {
  State& state = *state_;
  if (state.always_ready) return OkStatus();
  // The other end of a borrowed descriptor is chosen by the epoll around it, which itself is only ever readable.
  bool for_write = direction == Direction::kWrite && !state.borrowed;
  WaitFrame frame(state.poller);
  {
    std::lock_guard guard(state.mutex);
    // Close sets the bit before it takes the mutex: it finds our wait, or we find the bit.
    if ((state.users.load(std::memory_order_relaxed) & kClosed) != 0) {
      frame.operation.NotStarted();
      return ClosedError(CannotText(verb));
    }
    rt::sanitizers::IgnoreScope ignore;
    state.stream.async_wait(for_write ? DescriptorStream::wait_write : DescriptorStream::wait_read,
                            internal::Handler(&frame, until.limited()));
  }
  if (!frame.operation.Wait(until, state.reason)) {
    {
      std::lock_guard guard(state.mutex);
      rt::sanitizers::IgnoreScope ignore;
      frame.operation.signal().emit(asio::cancellation_type::all);
    }
    frame.operation.AwaitEnd(state.reason);
    return StoppedError(until, frame.operation.cancelled(), CannotText(verb));
  }
  if (frame.error == asio::error::operation_aborted) return ClosedError(CannotText(verb));
  if (frame.error) return IoError(frame.error.value(), CannotText(verb));
  return OkStatus();
}

void Descriptor::Close() {
  if (state_ == nullptr) return;
  State& state = *state_;
  // acq_rel: partner is the last user's departure.
  uint32_t users = state.users.fetch_or(kClosed, std::memory_order_acq_rel);
  if ((users & kClosed) != 0) return;
  asio::error_code ignored;
  {
    std::lock_guard guard(state.mutex);
    rt::sanitizers::IgnoreScope ignore;
    state.stream.cancel(ignored);
  }
  if (users != 0) state.drained.Wait(rt::WaitReason::kCondition);
  rt::sanitizers::IgnoreScope ignore;
  state.stream.close(ignored);
}

UniqueFd Descriptor::Release() {
  MR_CHECK(state_ != nullptr && !state_->borrowed, "only a descriptor that is owned can be given back");
  MR_CHECK(state_->users.fetch_or(kClosed, std::memory_order_acq_rel) == 0, "'%s' was given back while it was used",
           state_->name.c_str());
  rt::sanitizers::IgnoreScope ignore;
  return UniqueFd(state_->stream.release());
}

const std::string& Descriptor::name() const {
  static const std::string none = "nothing";
  return state_ != nullptr ? state_->name : none;
}
bool Descriptor::borrowed() const { return state_ != nullptr && state_->borrowed; }
int Descriptor::fd() const {
  return state_ != nullptr && (state_->users.load(std::memory_order_relaxed) & kClosed) == 0 ? state_->fd : -1;
}

std::string Descriptor::CannotText(const char* verb) const { return "cannot " + std::string(verb) + " " + name(); }

}  // namespace millrace::io
