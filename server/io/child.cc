#include "io/child.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "io/descriptor.h"
#include "io/io_error.h"

namespace millrace::io {

Result<ChildEnd> AwaitChild(pid_t pid, const Until& until) {
  const std::string what = "cannot wait for the end of process " + std::to_string(pid);
  // Asked before it is awaited: a process that is not our child could be awaited too, but its end tells nothing.
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return IoError(errno, what);
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return IoError(errno, what);
  Result<Descriptor> descriptor =
      Descriptor::Adopt(std::move(pidfd), "process " + std::to_string(pid), rt::WaitReason::kProcess);
  if (!descriptor.ok()) return descriptor.status();
  // Not blocking: a readiness of which somebody else made use is no reason to block the machine.
  Result<size_t> done = descriptor->Do(Direction::kRead, "wait for the end of", until, [&info](int fd) -> ssize_t {
    info = {};
    if (waitid(P_PIDFD, static_cast<id_t>(fd), &info, WEXITED | WNOHANG) != 0) return -errno;
    return info.si_pid != 0 ? 0 : -EAGAIN;
  });
  if (!done.ok()) return done.status();
  bool exited = info.si_code == CLD_EXITED;
  return ChildEnd{.code = exited ? info.si_status : 0, .signal = exited ? 0 : info.si_status};
}

}  // namespace millrace::io
