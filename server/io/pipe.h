// Pipes and everything else that one reads from or writes to as a file that may make one wait: stdin, stdout, FIFOs,
// terminals.
#pragma once

#include <string>

#include "base/status.h"
#include "io/stream.h"

namespace millrace::io {

// One end of a pipe. Contract: io/stream.h. A write to a pipe that nobody reads is UNAVAILABLE (EPIPE) and no SIGPIPE:
// once a program uses io/, that signal does nothing, unless the program has given it a meaning of its own.
class Pipe : public Stream {
 public:
  Pipe() = default;

  // Owns `fd` and makes it non-blocking.
  static Result<Pipe> Adopt(UniqueFd fd, std::string name);

  // One direction of a descriptor that is not ours, such as stdin: its flags, which other processes may share, stay as
  // they are. Closing it closes nothing. While two read it, one may block its machine.
  static Result<Pipe> BorrowToRead(int fd, std::string name);
  static Result<Pipe> BorrowToWrite(int fd, std::string name);

 private:
  explicit Pipe(Descriptor descriptor) : Stream(std::move(descriptor), /*is_socket=*/false) {}
};

struct PipePair {
  Pipe reader;
  Pipe writer;
};
Result<PipePair> MakePipe();

inline Result<Pipe> Stdin() { return Pipe::BorrowToRead(0, "stdin"); }
inline Result<Pipe> Stdout() { return Pipe::BorrowToWrite(1, "stdout"); }
inline Result<Pipe> Stderr() { return Pipe::BorrowToWrite(2, "stderr"); }

}  // namespace millrace::io
