// Load: the clients of one life of a daemon: streams, single submits, batches, and one that looks at what is known and,
// if told to, changes it. They go on until the daemon is gone or Stop.
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
  struct Options {
    uint64_t seed = 0;
    bool cancels = false;  // Also cancels jobs that are far from their time.
    bool verbs = false;    // Also retries and deletes jobs that have ended.
    bool listens = false;  // Also watches the events of all jobs.
  };
  Load(Ledger& ledger, std::string address, Options options);
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
  void Listen(Random);
  // False: the daemon is gone.
  bool Look(client::Client& client, const Ledger::Picked& picked, Random& random);
  bool Change(client::Client& client, const Ledger::Picked& picked, Random& random);
  std::unique_ptr<client::Client> Connect() const;
  client::CallOptions Call() const { return {.stop = stop_.get_token()}; }

  Ledger& ledger_;
  const std::string address_;
  const Options options_;
  std::stop_source stop_;    // Breaks calls.
  std::stop_source finish_;  // Lets them end.
  std::vector<std::jthread> threads_;
};

// ---- With a daemon that is left alone. Each says what went wrong.
// Repeats what was never answered.
Status SubmitTheRest(client::Client& client, Ledger& ledger);
// Something new.
Status SubmitOneMore(client::Client& client, Ledger& ledger);
// Repeats all that was acknowledged.
Status RepeatAll(client::Client& client, Ledger& ledger);
// Cancels what is far, waits for the end of all else. What is forgotten meanwhile has ended.
Status AwaitAllEnds(client::Client& client);
Result<std::vector<v1::Job>> ListAll(client::Client& client);

}  // namespace millrace::crash
