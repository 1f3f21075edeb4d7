// The pages of the HTTP port, in one table: which paths there are, what each shows, and which must be answered at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "dispatch/pool_status.h"
#include "web/handler.h"

namespace millrace::pages {

struct Health {
  bool draining = false;
  Status store;      // Not OK: no new jobs are accepted, and why.
  Status reachable;  // Not OK: no new connections are accepted, and why.
};

// Where the pages get what they show. Every function is called on threads of the HTTP server until that is stopped.
struct Sources {
  std::string grpc_address;
  std::string store;  // "memory", "rocksdb (ack fsync)".
  std::function<Health()>
      health;  // Takes microseconds and waits for nothing: every client of the port would wait with it.
  std::function<int()> processors;
  std::function<std::vector<dispatch::PoolStatus>()> pools;
  std::function<web::Response()> metrics;
};

//   /          for people: what the daemon is, its state, a row for each pool
//   /metrics   for Prometheus
//   /healthz   200 while the process can answer
//   /readyz    200 while new jobs are accepted, else 503 with the reason
web::Pages MakeRoutes(Sources sources);

}  // namespace millrace::pages
