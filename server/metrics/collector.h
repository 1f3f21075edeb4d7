// Collector: our plain counters as a page for Prometheus.
//
//   Cost      Everything is read at a scrape; between scrapes nothing runs, and two descriptors are kept.
//   Threads   Text from any thread, several at once; the sources are called on that thread.
#pragma once

#include <functional>
#include <string>

#include "dispatch/pool_status.h"
#include "metrics/process_stats.h"
#include "rpc/call_stats.h"
#include "runtime/stats.h"

namespace millrace::metrics {

struct Sources {
  std::function<dispatch::DispatchStats()> dispatch;
  std::function<rt::RuntimeStats()> runtime;
  const rpc::CallStats* calls = nullptr;          // Outlives the collector.
  std::function<rpc::ServerStats()> server = {};  // May be empty: no server.
};

class Collector {
 public:
  explicit Collector(Sources sources) : sources_(std::move(sources)) {}

  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  // All metrics of names.h in the text format of Prometheus.
  std::string Text();

 private:
  Sources sources_;
  ProcessReader process_;
};

}  // namespace millrace::metrics
