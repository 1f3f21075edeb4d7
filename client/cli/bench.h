// `millrace bench`: how many jobs a second this daemon takes and finishes, and how long each takes.
#pragma once

#include <cstdint>
#include <string>

#include "client/cli/session.h"

namespace millrace::cli {

struct BenchArguments {
  int64_t jobs = 100'000;
  int window = 256;
  int connections = 1;
  std::string mode = "stream";
  int batch = 100;
  double rate = 0;
  std::string kind = "noop";
  std::string pool;
  std::string payload_bytes = "0";
  bool request_ids = false;
  std::string on_full = "wait";
  int64_t warmup = -1;  // -1: a tenth of the jobs, 10,000 at most.
  int64_t samples = 2000;
  bool floor = false;  // The server is tests/bench/grpc_floor: nothing runs, so only answers are measured.
};

ExitCode RunBench(Session& session, const BenchArguments& arguments);

}  // namespace millrace::cli
