// Show what happens to the jobs of a pool until interrupted. A lost connection is resumed where it broke off.
//
//   build/bin/example_watch 127.0.0.1:7070 'pool = "default"'
#include <cstdio>

#include "client/client.h"
#include "client/words.h"

namespace client = millrace::client;
namespace v1 = millrace::v1;

int main(int argc, char** argv) {
  auto client = client::Client::Connect(argc > 1 ? argv[1] : "127.0.0.1:7070");
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;

  v1::WatchJobsRequest request;
  request.set_filter(argc > 2 ? argv[2] : "");
  const millrace::Status status = (*client)->Watch(request, [](const v1::JobEvent& event) {
    if (event.event_case() == v1::JobEvent::kGapEvents) {
      std::printf("too slow: some events were missed\n");
    } else if (event.event_case() == v1::JobEvent::kState) {
      std::printf("%s %s %s\n", event.job_id().c_str(), client::Word(event.state()).c_str(), event.error().c_str());
    }
    std::fflush(stdout);
    return true;
  });
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
