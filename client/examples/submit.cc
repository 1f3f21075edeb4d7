// Submit one job and wait for its result.
//
//   build/bin/example_submit 127.0.0.1:7070
#include <cstdio>
#include <string>

#include "client/client.h"
#include "client/words.h"

namespace client = millrace::client;
namespace v1 = millrace::v1;

int main(int argc, char** argv) {
  auto client = client::Client::Connect(argc > 1 ? argv[1] : "127.0.0.1:7070");
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;

  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("sha256");
  request.mutable_spec()->set_payload("the quick brown fox");
  const auto accepted = (*client)->Submit(request);
  if (!accepted.ok()) {
    // A full pool says when to come back; every number of the message is in metadata() too.
    const auto delay = accepted.status().retry_delay();
    std::fprintf(stderr, "%s%s\n", accepted.status().message().c_str(), delay ? ": try again soon" : "");
    return 1;
  }
  std::printf("accepted as %s, durability %s\n", accepted->id().c_str(), client::Word(accepted->durability()).c_str());

  const auto job = (*client)->Wait(accepted->id(), std::chrono::seconds(30));
  if (!job.ok()) return std::fprintf(stderr, "%s\n", job.status().message().c_str()), 1;
  std::printf("%s: %s%s\n", client::Word(job->state()).c_str(), job->result().c_str(), job->error().c_str());
  return job->state() == v1::JOB_STATE_SUCCEEDED ? 0 : 1;
}
