// Submit many jobs over one stream. A full pool slows the stream down instead of refusing jobs, and memory stays flat.
//
//   build/bin/example_stream 127.0.0.1:7070 100000
#include <atomic>
#include <cstdio>
#include <string>

#include "client/submit_stream.h"

namespace client = millrace::client;
namespace v1 = millrace::v1;

int main(int argc, char** argv) {
  auto client = client::Client::Connect(argc > 1 ? argv[1] : "127.0.0.1:7070");
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;
  const int jobs = argc > 2 ? std::stoi(argv[2]) : 10'000;

  std::atomic<int> accepted{0}, refused{0};
  client::SubmitStream stream(
      **client,
      [&](int64_t, const millrace::Result<v1::SubmitJobResponse>& answer) { ++(answer.ok() ? accepted : refused); },
      {.window = 256});

  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("noop");
  request.set_on_full(v1::ON_FULL_WAIT);
  for (int i = 0; i < jobs; ++i) {
    const auto sent = stream.Submit(request, client::Flush::kLater);
    if (!sent.ok()) break;
  }
  const millrace::Status end = stream.Finish();  // Sends what kLater left in the buffer, and waits for every answer.
  std::printf("%d accepted, %d refused, stream %s\n", accepted.load(), refused.load(), end.ToString().c_str());
  return end.ok() && refused == 0 ? 0 : 1;
}
