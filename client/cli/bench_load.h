// The load of `millrace bench`: sends jobs the way it is told and measures each answer.
//
// Closed loop (rate 0): each connection keeps `window` jobs unanswered and sends the next when an answer comes. The
// latency counts from the send. Open loop: job n is due at start + n / rate whatever the server does, and its latency
// counts from that moment, so a server that stalls is charged for every job that should have been sent meanwhile (no
// coordinated omission).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/latency.h"
#include "client/client.h"

namespace millrace::cli {

enum class LoadMode { kUnary, kStream, kBatch };

struct LoadOptions {
  LoadMode mode = LoadMode::kStream;
  int64_t jobs = 0;  // In all.
  int window = 256;  // Unanswered jobs of each connection.
  int batch = 100;   // Jobs of one BatchSubmitJobs.
  double rate = 0;   // Jobs a second of all connections together; 0: closed loop.
  v1::SubmitJobRequest request;
  std::string request_id_prefix;               // Job n has the id prefix + n. Empty: none has one.
  std::chrono::milliseconds deadline{30'000};  // For each unary or batch call.
  std::stop_token stop;
};

using SteadyTime = std::chrono::steady_clock::time_point;

// One accepted job. `due` is when it should have been sent, `sent` when it was.
struct Acknowledged {
  int64_t number;  // In the run, from 0.
  SteadyTime due, sent, acknowledged;
  const v1::SubmitJobResponse& answer;
};

struct LoadResult {
  int64_t accepted = 0;
  std::map<std::string, int64_t> refused;  // Reason to count.
  Status first_error;
  v1::Durability durability = v1::DURABILITY_UNSPECIFIED;
  SteadyTime start{}, end{};  // First send to last answer.
  LatencyHistogram latency;
};

// Calls `on_acknowledged` on the client's threads for each accepted job. Returns when every job sent has its answer;
// sends no more once stopped, or once the server is gone.
std::unique_ptr<LoadResult> RunLoad(const std::vector<std::unique_ptr<client::Client>>& connections,
                                    const LoadOptions& options,
                                    const std::function<void(const Acknowledged&)>& on_acknowledged);

}  // namespace millrace::cli
