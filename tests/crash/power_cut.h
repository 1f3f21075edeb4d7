// PowerCut: a folder whose files can lose power. A process is started with Environment() and works below root(); when
// it is gone, Cut leaves of the folder what a disk may have kept: all that was synced, and of the rest whatever chance
// gives.
//
//   Bytes   Beyond what was synced a file ends there, or goes on for a while, or has pages in it that never arrived.
//           See Tails.
//   Names   Of what was created, renamed and removed in a folder since its last fsync, the first n stay, n by chance:
//           file systems keep the order. That the fsync of a file makes its name durable, as on ext4, is a kindness
//           nobody may count on.
//   Limits  What the layer watches, and how, is told at the head of power_cut_layer.cc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/crash/power_cut_trace.h"

namespace millrace::crash {

using Random = std::mt19937_64;

// What may stand behind the synced part of a file.
enum class Tails {
  kShort,    // The bytes that were written, up to some point.
  kTorn,     // Pages in any order: some that were written are zeros, as file systems leave what never arrived.
  kGarbage,  // The same, and some are whatever stood there on the disk. Only file systems that promise little do this.
};

struct Faults {
  // The process kills itself at the `kill_at`th such step; 0: never.
  Step kill_step = Step::kWrite;
  Moment kill_moment = Moment::kBefore;
  uint32_t kill_at = 0;
  // Syncs of files whose name ends so are answered and do nothing. "*": of all.
  std::string unsynced;
  uint32_t sync_micros_max = 0;
};

struct CutReport {
  int names_undone = 0, files_shortened = 0, files_torn = 0;
  uint64_t bytes_lost = 0;
};

class PowerCut {
 public:
  // Below `folder`, which is made if it is not there, emptied, and left to the caller in the end. `layer`: the library
  // to be loaded.
  PowerCut(std::filesystem::path folder, std::filesystem::path layer);
  ~PowerCut();
  PowerCut(const PowerCut&) = delete;
  PowerCut& operator=(const PowerCut&) = delete;

  const std::filesystem::path& root() const { return root_; }

  // Before each start: what is in the folder now is on the disk.
  void Arm(const Faults& faults, uint64_t seed);
  // NAME=VALUE, for the process.
  std::vector<std::string> Environment() const;

  // ---- When the process is gone
  CutReport Cut(Tails tails, Random& random);
  bool killed_itself() const { return trace_->killed.load() != 0; }
  uint32_t steps(Step step) const { return trace_->steps[static_cast<size_t>(step)].load(); }
  // When the last sync began, by CLOCK_MONOTONIC, that came to its end for a file whose name ends so. 0: none.
  int64_t LastSync(const std::string& ending) const;

 private:
  // Names below the root; inode 0: a folder.
  using Names = std::map<std::string, uint64_t>;
  template <typename Each>
  void ForEachEvent(Each&& each) const;
  // The names that are left; counts those that are not.
  Names NamesLeft(Random& random, int* undone) const;
  void CutFile(const std::filesystem::path& file, uint64_t durable, Tails tails, Random& random,
               CutReport* report) const;
  void EmptyGraveyard() const;

  const std::filesystem::path folder_, root_, graveyard_, layer_;
  Trace* trace_;
  Names names_at_start_;
  std::map<uint64_t, uint64_t> sizes_at_start_;
};

}  // namespace millrace::crash
