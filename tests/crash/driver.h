// Driver: many lives of a daemon on one folder after another, each ended by SIGKILL, some by a loss of power, with
// clients that never stop; and at the end of each round the question whether all agrees.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/crash/checker.h"
#include "tests/crash/power_cut.h"

namespace millrace::crash {

struct DriverOptions {
  std::filesystem::path programs;  // millraced and ours.
  std::filesystem::path scratch;   // Emptied, and left with the logs when something was found.
  uint64_t seed = 1;
  std::string ack = "fsync";
  bool cut = false;  // The power goes with the process.
  Tails tails = Tails::kTorn;
  int kills = 25, kills_in_round = 12;
  int requests_in_life = 500;
  size_t payload_bytes = 40'000;
  int life_ms_max = 400;  // Before a kill by time.
  bool at_syncs = false;  // All kills are just before a sync.
  bool cancels = false;   // Clients cancel as well.
  bool verbs = false;     // And retry and delete what has ended.
  // So many finished jobs are remembered, and a tenth as many dead letters, which are rare; 0: all are. Neither this
  // nor verbs where the mode may lose what was acknowledged.
  int64_t remember = 0;
  // Mutation of the daemon: syncs of files that end so do nothing.
  std::string unsynced;
  std::optional<Fault> expect;  // Goes on until this is found.
  bool verbose = false;
};

struct Tally {
  int kills = 0, by_time = 0, by_step = 0, before_ready = 0, cuts = 0;
  int names_undone = 0, files_shortened = 0, files_torn = 0;
  int64_t requests = 0, repeats = 0, verbs = 0;               // Verbs: what was deleted or retried, or may have been.
  int64_t forgiven = 0, forgiven_ends = 0, forgiven_age = 0;  // Age: of the oldest, in ns, at the kill.
  Totals totals;
};

// Ends early when something was found, or what is expected.
Findings Drive(const DriverOptions& options, Tally* tally);

}  // namespace millrace::crash
