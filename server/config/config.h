// The configuration: each module's Options, filled from a TOML file, MILLRACE_* variables and flags, checked once.
//
//   Strict     An unknown key, a wrong type, a number out of range, a pool or program that is not there: each is a
//              problem that names the place and the fix. All problems are told at once, and with any of them nothing
//              starts.
//   Defaults   Nothing at all is a good configuration: the pool "default" with the built-in kinds, on loopback, in
//              memory.
//   Memory     Budgets that nobody set are lowered to fit into the memory that the machine or container has.
//   Sections   [server] [log] [runtime] [jobs] [workers] [pool.NAME] [kind.NAME]; deploy/config.example.toml explains
//              every key.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/command_line.h"
#include "dispatch/dispatcher.h"
#include "dispatch/pool_status.h"
#include "dispatch/runner.h"
#include "job/job.h"
#include "runners/exec.h"
#include "runtime/runtime.h"
#include "web/server.h"

namespace millrace::config {

enum class StoreKind {
  kAuto,  // kRocksdb where there is a data_dir, else kMemory. Not in a Config that was loaded.
  kMemory,
  kRocksdb,
};

// How a kind runs: the options of its runner, one type for each runner whose kinds can be configured (kind_schema.h).
using KindRuns = std::variant<runners::ExecOptions>;

struct KindConfig {
  dispatch::KindOptions options;
  KindRuns runs;
};

struct Config {
  Address grpc_address{"127.0.0.1", 7070};
  web::ServerOptions http;
  int connections_max = 0;  // gRPC connections. 0: as many as the limit of open files leaves room for.
  int64_t call_bytes_max = int64_t{256} << 20;
  bool insecure = false;  // Listen where other machines can reach us, without authentication.
  StoreKind store = StoreKind::kAuto;
  std::string data_dir;  // Empty: none.
  // What an acknowledgement is worth with the rocksdb store.
  Durability ack = Durability::kFsync;
  Nanos ack_interval = std::chrono::milliseconds(50);  // For kInterval.
  Nanos drain_timeout = std::chrono::seconds(30);

  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;

  // A client may always come, so fibers that all wait are no deadlock; but handlers that wait for each other for so
  // long are worth a line in the log. Fibers are thousands, not millions, and run libraries that were written for the
  // stacks of threads.
  rt::RuntimeOptions runtime{
      .stack_bytes = size_t{1} << 20, .report_deadlock = false, .report_blocked_longer = std::chrono::minutes(1)};
  dispatch::DispatcherOptions jobs;
  size_t store_buffer_bytes =
      size_t{32} << 20;  // What rocksdb gathers before it writes a table. No key: it follows the memory.
  std::vector<dispatch::PoolOptions> pools;  // One at least; one is named "default".
  std::vector<KindConfig> kinds;
};

struct Loaded {
  Config config;
  std::vector<std::string> problems;  // "millrace.toml:12:3: what is wrong; the fix". Not empty: do not use the config.
};

// Reads the file that the command line names, if any, then its overrides.
Loaded Load(const CommandLine& command_line);
// The same with the file's text at hand; `name` is what problems call it. `memory_bytes`: what the process can have; 0:
// unknown.
Loaded LoadText(std::string_view text, const std::string& name, const std::vector<Override>& overrides,
                int64_t memory_bytes = 0);

enum class Secrets { kHidden, kShown };

// All settings in effect as a TOML file that gives the same configuration again. Values of a kind's `env` are secrets.
std::string ToToml(const Config& config, Secrets secrets);

}  // namespace millrace::config
