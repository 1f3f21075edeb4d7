// The lines that README.md shows, as a program; tests/e2e/snippets_test.sh compares the two and runs this one.
#include <cstdio>

#include "client/client.h"

int main(int argc, char** argv) {
  const char* address = argc > 1 ? argv[1] : "127.0.0.1:7070";
  // The snippet begins.
  auto client = millrace::client::Client::Connect(address);
  millrace::v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("sha256");
  request.mutable_spec()->set_payload("the quick brown fox");
  auto accepted = (*client)->Submit(request);
  auto job = (*client)->Wait(accepted->id(), std::chrono::seconds(30));
  std::puts(job->result().c_str());
  // The snippet ends.
}
