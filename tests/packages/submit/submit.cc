// submit HOST:PORT: has the daemon echo a word, and prints what it answers.
#include <cstdio>

#include "client/client.h"
#include "client/words.h"

int main(int, char** argv) {
  auto client = millrace::client::Client::Connect(argv[1]);
  if (!client.ok()) return std::fprintf(stderr, "%s\n", client.status().message().c_str()), 1;
  millrace::v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("echo");
  request.mutable_spec()->set_payload("over there");
  const auto accepted = (*client)->Submit(request);
  if (!accepted.ok()) return std::fprintf(stderr, "%s\n", accepted.status().message().c_str()), 1;
  const auto job = (*client)->Wait(accepted->id());
  if (!job.ok()) return std::fprintf(stderr, "%s\n", job.status().message().c_str()), 1;
  std::printf("%s %s\n", millrace::client::Word(job->state()).c_str(), job->result().c_str());
  return 0;
}
