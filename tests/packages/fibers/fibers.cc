// One fiber writes into a pipe, one reads and passes it on by a channel, and main waits for both.
#include <cstdio>
#include <string>

#include "base/version.h"
#include "io/pipe.h"
#include "sync/program.h"

using namespace millrace;

int main() {
  std::printf("version %s\n", Version());
  return Run([] {
    auto pipe = io::MakePipe();
    if (!pipe.ok()) return 1;
    Channel<std::string> heard;
    WaitGroup fibers;
    fibers.Go([&] {
      char bytes[16];
      const auto size = pipe->reader.Read(bytes);
      heard.Send(size.ok() ? std::string(bytes, *size) : size.status().message());
    });
    fibers.Go([&] { (void)pipe->writer.Write("hello"); });
    std::printf("heard %s\n", heard.Receive()->c_str());
    fibers.Wait();
    return 0;
  });
}
