// Load: the clients of one life of a daemon: streams, single submits, batches, and one that looks at what is known, and cancels what is
// far if it is told to. They go on until the daemon is gone or Stop.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/client.h"
#include "tests/crash/ledger.h"

namespace millrace::crash {

class Load {
 public:
  Load(Ledger& ledger, std::string address, uint64_t seed, bool cancels);
  ~Load() { Stop(); }
  // Ends calls that are under way, and waits for all threads.
  void Stop();
  // Waits until they have nothing more to send; only when nothing is allowed any more.
  void Finish();

 private:
  void SubmitOneByOne(Random random);
  void SubmitBatches(Random random);
  void SubmitByStream(Random random);
  void LookAround(Random random);
  std::unique_ptr<client::Client> Connect() const;
  client::CallOptions Call() const { return {.stop = stop_.get_token()}; }

  Ledger& ledger_;
  const std::string address_;
  const bool cancels_;
  std::stop_source stop_;    // Breaks calls.
  std::stop_source finish_;  // Lets them end.
  std::vector<std::jthread> threads_;
};

// ---- With a daemon that is left alone. Each says what went wrong.
// Repeats what was never answered.
Status SubmitTheRest(client::Client& client, Ledger& ledger);
// Cancels what is far, waits for the end of all else.
Status AwaitAllEnds(client::Client& client);
Result<std::vector<v1::Job>> ListAll(client::Client& client);

}  // namespace millrace::crash
