#include "base/stderr.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace millrace {

bool WriteStderr(std::string_view text) {
  constexpr int kPatienceMs = 1000;
  constexpr int kInterruptionsMax = 100;  // How often signals may interrupt the wait.
  const int before = errno;
  for (int interruptions = 0; !text.empty();) {
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    const int polled = poll(&ready, 1, kPatienceMs);
    if (polled < 0 && errno == EINTR && ++interruptions < kInterruptionsMax) continue;
    if (polled <= 0) break;
    // A pipe that is ready has room for this much, so the write does not wait either.
    const ssize_t wrote = write(STDERR_FILENO, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (wrote > 0) {
      text.remove_prefix(static_cast<size_t>(wrote));
    } else if (errno != EINTR && errno != EAGAIN) {
      break;
    }
  }
  errno = before;
  return text.empty();
}

}  // namespace millrace
