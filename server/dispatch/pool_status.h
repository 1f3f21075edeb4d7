// How a pool is set up, and how it looks from outside.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "dispatch/efficiency.h"
#include "dispatch/journal.h"
#include "job/job.h"

namespace millrace::dispatch {

struct PoolOptions {
  std::string name;               // 1 to 63 of [a-z0-9_-]; it becomes a metric label.
  std::string runner = "native";  // Name of a registered runner.
  int workers = 16;  // Attempts at once, 1 to kPoolWorkersMax. More raises throughput until the host is full.
  int64_t capacity_jobs = 10'000;               // Queued jobs; beyond this Submit is refused or waits. 0: a rendezvous.
  int64_t capacity_bytes = int64_t{256} << 20;  // Payload bytes of queued jobs.
};

inline constexpr int kPoolWorkersMax = 10'000;
inline constexpr int64_t kPoolCapacityMax = 10'000'000;

enum class PoolState : uint8_t { kActive, kPaused, kDraining, kDrained, kMissing };
const char* ToString(PoolState state);  // "ACTIVE"

struct PoolStatus {
  std::string name;
  std::string runner;
  PoolState state = PoolState::kActive;
  int workers = 0;  // Wanted.
  int workers_busy = 0;
  int64_t capacity_jobs = 0;
  int64_t capacity_bytes = 0;
  int64_t queued_jobs = 0;
  int64_t queued_bytes = 0;
  std::array<int64_t, kBands> bands{};  // Queued jobs of each band.
  int64_t scheduled_jobs = 0;
  std::optional<WallTime> oldest_queued;   // When the oldest queued job was queued.
  std::optional<Nanos> oldest_queued_age;  // By a clock that nobody sets.
  std::vector<std::string> kinds;          // That run here unless a submit says otherwise.
  Efficiency efficiency;
  int64_t waiting_submits = 0;
};

// How a submit ended, counted per job.
enum class SubmitResult : uint8_t { kAccepted, kExisting, kQueueFull, kProcessFull, kRefused, kAbandoned };
inline constexpr int kSubmitResults = 6;
const char* Label(SubmitResult result);  // "accepted", "existing", "queue_full", "process_full", "refused", "abandoned"

inline constexpr int kAttemptResults = 7;  // The values of AttemptResult; kRunning is never counted.

struct KindStats {
  std::string kind;
  std::array<uint64_t, kJobStates> finished{};  // By state; zero for those that are not terminal.
  std::array<uint64_t, kAttemptResults> attempts{};
  HistogramSnapshot run_seconds;  // One for each attempt.
};

struct PoolStats {
  PoolStatus status;
  WorkTimes work;  // Since start.
  std::array<uint64_t, kSubmitResults> submitted{};
  std::vector<KindStats> kinds;
  uint64_t starts_refused =
      0;  // Attempts that could not begin (AttemptOutcome::not_started); not among those of `kinds`.
  HistogramSnapshot wait_seconds;  // Queued to running.
};

struct DispatchStats {
  std::vector<PoolStats> pools;
  std::array<int64_t, kJobStates> jobs{};  // By state.
  int64_t dead_letter_jobs = 0;            // FAILED, EXPIRED and QUARANTINED ones that are kept.
  int64_t remote_workers = 0;              // In other processes, with an open stream.
  uint64_t late_results = 0;               // What they said of attempts that were not theirs any more.
  int64_t missing_pool_jobs = 0;           // Unfinished ones of pools that are not configured any more.
  int64_t process_bytes = 0;               // May be up to process_bytes_max.
  int64_t process_bytes_max = 0;
  uint64_t trimmed_finished = 0;  // Forgotten by retention.
  uint64_t trimmed_dead_letters = 0;
  uint64_t unknown_pool = 0;         // Jobs refused before a pool was found.
  int64_t request_ids = 0;           // Remembered.
  uint64_t request_ids_dropped = 0;  // Before their time, for want of room.
  int64_t waiting_bytes = 0;         // May be up to waiting_bytes_max.
  Durability durability = Durability::kNone;
  JournalStats journal;
  uint64_t turns = 0;         // Sections under the dispatcher's lock,
  uint64_t worker_wakes = 0;  // and wake-ups of workers: what jobs cost, for benchmarks and tests.
  bool draining = false;
};

}  // namespace millrace::dispatch
