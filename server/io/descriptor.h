// Descriptor: a file descriptor that fibers wait for. Sockets, pipes, children and everything else of io/ that has a
// descriptor stand on it.
//
//   Method     The system call first; only when it says EAGAIN the fiber parks until the poller sees the descriptor
//              ready.
//   Sharing    Any number of fibers at once; one that reads and one that writes is the usual pair. All who wait in the
//              same direction are woken together and try again.
//   Closing    Close makes every call that is under way or comes later fail with IO_CLOSED, and returns once none is
//              under way: the number is never used by us after it has been given back. The destructor closes.
//   Stopping   A deadline or cancellation ends the one call; the descriptor stays usable.
//   Callers    Fibers. Close and the destructor: also plain threads, while Runtime::Run is under way.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "base/status.h"
#include "io/unique_fd.h"
#include "io/until.h"
#include "runtime/accounting.h"

namespace millrace::io {

enum class Direction : uint8_t { kRead, kWrite };

// The result of a system call as Descriptor::Do wants it.
inline ssize_t OrErrno(ssize_t result) { return result < 0 ? -errno : result; }

class Descriptor {
 public:
  Descriptor();  // None; as if closed.
  ~Descriptor();
  Descriptor(Descriptor&&) noexcept;
  Descriptor& operator=(Descriptor&&) noexcept;

  // Owns `fd`, which must not block (O_NONBLOCK). `name` is for messages: "127.0.0.1:7070".
  static Result<Descriptor> Adopt(UniqueFd fd, std::string name, rt::WaitReason reason = rt::WaitReason::kIo);

  // Uses one direction of a descriptor that belongs to somebody else and may be shared with other processes, such as a
  // terminal: its flags are left alone, and it is waited for before each call. A regular file is taken to be ready
  // always.
  static Result<Descriptor> Borrow(int fd, Direction direction, std::string name);

  // `ssize_t call(int fd)`, repeated until it is done; failures are negative errnos (OrErrno): EAGAIN waits in
  // `direction`, EINTR tries again, others are told as "cannot <verb> <name>: ...".
  template <typename Call>
  Result<size_t> Do(Direction direction, const char* verb, const Until& until, Call&& call) {
    return DoCall(
        direction, verb, until,
        [](int fd, void* closure) -> ssize_t { return (*static_cast<std::remove_reference_t<Call>*>(closure))(fd); },
        const_cast<void*>(static_cast<const void*>(&call)));
  }

  // Parks until it is ready, whatever it is ready for.
  Status Wait(Direction direction, const char* verb, const Until& until);

  // Safe to call twice.
  void Close();
  // Gives the descriptor back, which must be in nobody's use. Not of a borrowed one.
  UniqueFd Release();

  const std::string& name() const;
  bool borrowed() const;
  // To look at or to set options of, while it is open. -1: none.
  int fd() const;

 private:
  struct State;
  class User;
  explicit Descriptor(std::unique_ptr<State> state);
  Result<size_t> DoCall(Direction direction, const char* verb, const Until& until,
                        ssize_t (*call)(int fd, void* closure), void* closure);
  Status WaitReady(Direction direction, const char* verb, const Until& until);
  std::string CannotText(const char* verb) const;

  std::unique_ptr<State> state_;
};

}  // namespace millrace::io
