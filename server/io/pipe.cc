#include "io/pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "io/io_error.h"

namespace millrace::io {

Result<Pipe> Pipe::Adopt(UniqueFd fd, std::string name) {
  if (fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) {
    return IoError(errno, "cannot use " + name);
  }
  Result<Descriptor> descriptor = Descriptor::Adopt(std::move(fd), std::move(name));
  if (!descriptor.ok()) return descriptor.status();
  return Pipe(std::move(*descriptor));
}

Result<Pipe> Pipe::BorrowToRead(int fd, std::string name) {
  Result<Descriptor> descriptor = Descriptor::Borrow(fd, Direction::kRead, std::move(name));
  if (!descriptor.ok()) return descriptor.status();
  return Pipe(std::move(*descriptor));
}

Result<Pipe> Pipe::BorrowToWrite(int fd, std::string name) {
  Result<Descriptor> descriptor = Descriptor::Borrow(fd, Direction::kWrite, std::move(name));
  if (!descriptor.ok()) return descriptor.status();
  return Pipe(std::move(*descriptor));
}

Result<PipePair> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return IoError(errno, "cannot make a pipe");
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  Result<Pipe> reader = Pipe::Adopt(std::move(read_end), "a pipe");
  if (!reader.ok()) return reader.status();
  Result<Pipe> writer = Pipe::Adopt(std::move(write_end), "a pipe");
  if (!writer.ok()) return writer.status();
  return PipePair{std::move(*reader), std::move(*writer)};
}

}  // namespace millrace::io
