// Tests of I/O: over any number of processors, and afterwards no descriptor is left open.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "io/socket.h"
#include "tests/support/fibers.h"
#include "tests/support/leaks.h"
#include "tests/support/parked.h"

namespace millrace::io {

class IoTest : public test::OnAnyProcs {
 protected:
  void SetUp() override { descriptors_ = test::OpenDescriptors(); }
  void TearDown() override { EXPECT_EQ(test::OpenDescriptors(), descriptors_) << "descriptors were leaked"; }

 private:
  int descriptors_ = 0;
};

// Two ends of one connection.
struct SocketPair {
  SocketPair() {
    int fds[2];
    MR_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "no socketpair: errno %d", errno);
    a = Socket::Adopt(UniqueFd(fds[0]), "the other end").value();
    b = Socket::Adopt(UniqueFd(fds[1]), "the other end").value();
  }
  Socket a, b;
};

// A pipe as other programs know it: it blocks.
struct RawPipe {
  RawPipe() {
    int fds[2];
    MR_CHECK(pipe2(fds, O_CLOEXEC) == 0, "no pipe: errno %d", errno);
    reader.Reset(fds[0]);
    writer.Reset(fds[1]);
  }
  UniqueFd reader, writer;
};

// The server of most tests: gives back what it gets, until the end.
inline void Echo(Socket& socket) {
  char bytes[4096];
  for (auto n = socket.Read(bytes); n.ok() && *n > 0; n = socket.Read(bytes)) {
    if (!socket.Write({bytes, *n}).ok()) break;
  }
}

// Everything up to the end, or up to `count` bytes; a failure as its reason in angle brackets.
inline std::string ReadAll(Stream& stream, size_t count = SIZE_MAX) {
  std::string all;
  char bytes[1 << 16];
  while (all.size() < count) {
    auto n = stream.Read(std::span(bytes, std::min(sizeof bytes, count - all.size())));
    if (!n.ok()) return all + "<" + n.status().reason() + ">";
    if (*n == 0) break;
    all.append(bytes, *n);
  }
  return all;
}

// "OK", or the reason.
inline std::string ReasonOf(const Status& status) { return status.ok() ? "OK" : status.reason(); }
template <typename T>
std::string ReasonOf(const Result<T>& result) {
  return ReasonOf(result.status());
}

}  // namespace millrace::io
