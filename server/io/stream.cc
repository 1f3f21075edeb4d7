#include "io/stream.h"

#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::io {

Result<size_t> Stream::Read(std::span<char> into, const Until& until) {
  MR_CHECK(!into.empty(), "a read into an empty buffer cannot tell the end from nothing");
  return descriptor_.Do(Direction::kRead, "read from", until,
                        [into](int fd) { return OrErrno(::read(fd, into.data(), into.size())); });
}

Status Stream::Write(std::string_view bytes, const Until& until) {
  // A pipe that is ready takes PIPE_BUF bytes without blocking, which matters for those we may not make non-blocking.
  const size_t part_max = descriptor_.borrowed() ? PIPE_BUF : SIZE_MAX;
  for (size_t written = 0; written < bytes.size();) {
    std::string_view part = bytes.substr(written, part_max);
    Result<size_t> done = descriptor_.Do(Direction::kWrite, "write to", until, [&](int fd) {
      // An end that nobody reads is an error here, not a SIGPIPE. For what is no socket, asio_netpoll.cc sees to that.
      return OrErrno(is_socket_ ? ::send(fd, part.data(), part.size(), MSG_NOSIGNAL)
                                : ::write(fd, part.data(), part.size()));
    });
    if (!done.ok()) {
      Status failed = done.status();
      return std::move(failed).With("bytes_written", static_cast<int64_t>(written));
    }
    written += *done;
  }
  return OkStatus();
}

}  // namespace millrace::io
