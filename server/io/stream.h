// Stream: bytes in, bytes out. What sockets and pipes have in common.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/descriptor.h"

namespace millrace::io {

// Contract (sharing, closing, stopping): io/descriptor.h.
class Stream {
 public:
  Stream() = default;  // None; as if closed.

  // At least one byte, as soon as there is one; 0: the end, nothing more will come. `into` must not be empty.
  Result<size_t> Read(std::span<char> into, const Until& until = {});

  // All of it, however many calls that takes. On failure the metadata's bytes_written says how far it came. Two fibers
  // that write at once may find their bytes interleaved.
  Status Write(std::string_view bytes, const Until& until = {});

  void Close() { descriptor_.Close(); }

  // As messages have it: the other side of a connection, the file of a pipe.
  const std::string& name() const { return descriptor_.name(); }
  int fd() const { return descriptor_.fd(); }

 protected:
  Stream(Descriptor descriptor, bool is_socket) : descriptor_(std::move(descriptor)), is_socket_(is_socket) {}
  ~Stream() = default;
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;

  Descriptor descriptor_;

 private:
  bool is_socket_ = false;
};

}  // namespace millrace::io
