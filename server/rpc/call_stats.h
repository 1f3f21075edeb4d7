// CallStats: how many calls each method answered, how and how fast. Plain counters; metrics/ turns them into
// millrace_grpc_requests_total{method,code} and millrace_grpc_request_seconds{method}.
//
//   A call counts when it is answered, a stream as one call when it ends. What gRPC refuses by itself (a message over
//   the size limit, an unknown method) never reaches a method and is not counted.
//   Threads   Any thread; lock-free.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>

#include "base/histogram.h"
#include "base/listener.h"
#include "base/status.h"
#include "rpc/method.h"

namespace millrace::rpc {

inline constexpr int kStatusCodes = static_cast<int>(StatusCode::kInternal) + 1;

// What the server holds; metrics/ shows it as millrace_grpc_connections and so on.
struct ServerStats {
  ListenerStats connections;
  int64_t call_bytes = 0;
  int64_t call_bytes_max = 0;
};

class CallStats {
 public:
  CallStats();
  CallStats(const CallStats&) = delete;
  CallStats& operator=(const CallStats&) = delete;

  void Answered(Method method, StatusCode code, double seconds);

  uint64_t Requests(Method method, StatusCode code) const;
  // The time from the start of our code to the answer; for StreamSubmit and WatchJobs how long streams were open.
  HistogramSnapshot Seconds(Method method) const;

 private:
  std::array<std::array<std::atomic<uint64_t>, kStatusCodes>, kMethods> requests_{};
  std::deque<Histogram> seconds_;
};

}  // namespace millrace::rpc
