// A TCP echo server: echo_example 127.0.0.1:7007. Each connection has a fiber that reads and writes as if it were
// alone.
#include <cstdio>

#include "io/socket.h"
#include "runtime/runtime.h"
using namespace millrace;  // NOLINT: an example

int main(int, char** argv) {
  rt::Runtime runtime;
  return runtime.Run([&] {
    io::Listener listener = io::ListenTcp(*ParseAddress(argv[1])).value();
    fprintf(stderr, "listening on port %d\n", listener.port());
    for (auto socket = listener.Accept(); socket.ok(); socket = listener.Accept()) {
      rt::Go([peer = std::move(*socket)]() mutable {
        char bytes[4096];
        for (auto n = peer.Read(bytes); n.ok() && *n > 0; n = peer.Read(bytes)) {
          if (!peer.Write({bytes, *n}).ok()) break;
        }
      });
    }
  });
}
