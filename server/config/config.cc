#include "config/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <type_traits>
#include <variant>

#include "base/cgroup.h"
#include "base/units.h"
#include "config/bindings.h"
#include "config/differences.h"
#include "config/exec_kind.h"
#include "config/kind_schema.h"
#include "job/validate.h"
#include "runners/builtin.h"
#include "runners/native.h"
#include "runners/remote.h"

namespace millrace::config {
namespace {

// What is left to check when every key has been read by itself: how the parts fit together.
class Loader {
 public:
  explicit Loader(int64_t memory_bytes) : memory_bytes_(memory_bytes) {}

  Loaded Load(const Node& file, const std::vector<Override>& overrides) {
    ConfigBinding binding(&config_);
    ReadFile(file, &binding);
    for (const Override& each : overrides) {
      Section* section = binding.Find(each.section);
      MR_CHECK(section != nullptr && section->ReadKey(each.key, each.value, &problems_), "no key %s.%s to override",
               each.section.c_str(), each.key.c_str());
    }
    if (std::none_of(config_.pools.begin(), config_.pools.end(),
                     [](const auto& pool) { return pool.name == "default"; })) {
      config_.pools.push_back({.name = "default"});
    }
    CheckServer(binding.Get("server"));
    FitBudgets(binding.Get("jobs"), binding.Get("server"));
    CheckPools();
    CheckKinds();
    return {std::move(config_), problems_.list()};
  }

 private:
  void ReadFile(const Node& file, ConfigBinding* binding) {
    // Sections of which there is one for each name.
    struct Named {
      const char* name;
      const char* example;
      void (Loader::*read)(const Node& table);
    };
    constexpr Named kNamed[] = {{"pool", "[pool.thumbs]", &Loader::ReadPool},
                                {"kind", "[kind.resize]", &Loader::ReadKind}};
    for (const Node& child : file.children) {
      const Named* named = std::find_if(std::begin(kNamed), std::end(kNamed),
                                        [&](const Named& each) { return child.name == each.name; });
      if (Section* section = binding->Find(child.name)) {
        section->Read(child, &problems_);
      } else if (named != std::end(kNamed)) {
        for (const Node* table : NamedTables(child, named->name, named->example)) (this->*named->read)(*table);
      } else {
        std::vector<std::string> known;
        for (const auto& each : binding->sections()) known.push_back(each->path());
        for (const Named& each : kNamed) known.push_back(each.name);
        problems_.Add(child.origin, "unknown section [" + child.name + "]" + Suggest(child.name, known));
      }
    }
  }

  void ReadPool(const Node& table) {
    dispatch::PoolOptions pool{.name = table.name};
    PoolBinding(&pool).section.Read(table, &problems_);
    origins_["pool." + pool.name] = table.origin;
    if (const Node* runner = table.Find("runner")) origins_["runner of " + pool.name] = runner->origin;
    config_.pools.push_back(std::move(pool));
  }

  void ReadKind(const Node& table) {
    KindConfig kind{.options = {.name = table.name}};
    const Node* what = nullptr;
    ForEachKindSchema([&]<typename Options>(std::type_identity<Options>) {
      if (what == nullptr && (what = table.Find(KindSchema<Options>::kKey)) != nullptr) kind.runs = Options();
    });
    KindBinding(&kind).section.Read(table, &problems_);
    const std::string& name = kind.options.name;
    origins_["kind." + name] = table.origin;
    if (const Node* pool = table.Find("pool")) origins_["pool of " + name] = pool->origin;
    if (what != nullptr) origins_["what " + name + " runs"] = what->origin;
    config_.kinds.push_back(std::move(kind));
  }

  std::vector<const Node*> NamedTables(const Node& parent, const std::string& what, const std::string& example) {
    std::vector<const Node*> tables;
    for (const Node& child : parent.children) {
      if (child.type == Node::Type::kTable) {
        tables.push_back(&child);
      } else {
        problems_.Add(child.origin, "'" + child.name + "' stands in [" + what + "], which holds one table for each " +
                                        what + "; give it a name, as in " + example);
      }
    }
    if (parent.type != Node::Type::kTable) problems_.Add(parent.origin, what + " must be a table, as in " + example);
    return tables;
  }

  void CheckServer(const Section& server) {
    for (const auto& [key, address] :
         {std::pair{"grpc_address", config_.grpc_address}, {"http_address", config_.http.address}}) {
      if (address.IsLoopback() || config_.insecure) continue;
      problems_.Add(server.Origin(key),
                    std::string(key) + " = \"" + address.ToString() +
                        "\" can be reached by other machines, and this version has no authentication; use "
                        "127.0.0.1, or accept it with --insecure (insecure = true)");
    }
    if (config_.grpc_address == config_.http.address && config_.grpc_address.port != 0) {
      problems_.Add(server.Origin("http_address"), "http_address = \"" + config_.http.address.ToString() +
                                                       "\" is also grpc_address; give each its own port");
    }
    if (config_.store == StoreKind::kAuto) {
      config_.store = config_.data_dir.empty() ? StoreKind::kMemory : StoreKind::kRocksdb;
    }
    if (config_.store == StoreKind::kRocksdb && config_.data_dir.empty()) {
      problems_.Add(server.Origin("store"),
                    "store = \"rocksdb\" keeps jobs in data_dir, which is not set; name a folder with --data-dir");
    }
  }

  // A quarter for unfinished jobs; what the store, gRPC and the allocator make of them comes on top, and about doubles
  // it.
  void FitBudgets(const Section& jobs, const Section& server) {
    if (memory_bytes_ > 0) LowerBudgets(jobs, server);
    CheckCallBytes(server);
  }

  // Half of call_bytes_max bounds a message, and what a call that lasts holds: the largest payload fits, and so does
  // the largest result, where that is one that is written in pieces.
  bool ResultIsLargest() const {
    return config_.jobs.result_bytes_max > std::max(config_.jobs.payload_bytes_max, kResultBytesMax);
  }
  int64_t LargestBytes() const {
    return static_cast<int64_t>(ResultIsLargest() ? config_.jobs.result_bytes_max : config_.jobs.payload_bytes_max);
  }
  // Beside a result there is room for the streams of a hundred workers.
  int64_t CallBytesLeast() const { return 2 * LargestBytes() + (ResultIsLargest() ? 16 : 4) * kMebibyte; }

  void CheckCallBytes(const Section& server) {
    const int64_t least = CallBytesLeast();
    if (config_.call_bytes_max >= least) return;
    const bool payload = !ResultIsLargest();
    const std::string key = payload ? "payload_bytes_max" : "result_bytes_max";
    problems_.Add(
        server.Origin("call_bytes_max"),
        "call_bytes_max = \"" + FormatSize(config_.call_bytes_max) + "\" is too little for " + key + " = \"" +
            FormatSize(LargestBytes()) + "\": a call may hold half of it, so " +
            (payload ? "jobs with such a payload could not be submitted" : "such a result could not be written") +
            "; use \"" + FormatSize(least) + "\" or more, \"auto\", or a smaller " + key);
  }

  void LowerBudgets(const Section& jobs, const Section& server) {
    auto fit = [&](const char* key, int64_t* field, int64_t share) {
      if (jobs.Automatic(key)) *field = std::clamp(memory_bytes_ / share / kMebibyte * kMebibyte, kBudgetLeast, *field);
    };
    dispatch::DispatcherOptions& options = config_.jobs;
    fit("process_bytes_max", &options.process_bytes_max, 4);
    fit("hot_bytes_max", &options.hot_bytes_max, 16);
    fit("waiting_bytes_max", &options.waiting_bytes_max, 16);
    fit("request_ids_bytes_max", &options.request_ids_bytes_max, 16);
    if (server.Automatic("call_bytes_max")) {
      const int64_t share = memory_bytes_ / 4 / kMebibyte * kMebibyte;
      config_.call_bytes_max = std::min(config_.call_bytes_max, std::max(share, CallBytesLeast()));
    }
    config_.store_buffer_bytes = static_cast<size_t>(
        std::clamp(memory_bytes_ / 32, kBudgetLeast, static_cast<int64_t>(config_.store_buffer_bytes)));
    // With rocksdb ended jobs are on the disk, where memory is no measure.
    if (config_.store != StoreKind::kMemory) return;
    fit("finished_bytes_max", &options.finished_bytes_max, 16);
    fit("dead_letter_bytes_max", &options.dead_letter_bytes_max, 16);
  }

  void CheckPools() {
    for (const auto& pool : config_.pools) {
      if (!IsPoolName(pool.name)) {
        problems_.Add(origins_["pool." + pool.name],
                      "'" + pool.name + "' cannot name a pool; use 1 to 63 of a-z 0-9 _ -");
      }
      const std::vector<std::string> runners = RunnerNames();
      if (std::find(runners.begin(), runners.end(), pool.runner) == runners.end()) {
        problems_.Add(origins_["runner of " + pool.name], "unknown runner '" + pool.runner + "' for the pool '" +
                                                              pool.name + "'" + Suggest(pool.runner, runners));
      }
      if (pool.runner == runners::RemoteRunner::kName && pool.capacity_jobs == 0) {
        problems_.Add(origins_["pool." + pool.name],
                      "the pool '" + pool.name +
                          "' has capacity 0, and its workers are "
                          "in other processes, where nobody knows who is free; give it a capacity");
      }
    }
  }

  // Native kinds are code; those of the others can be configured.
  static std::vector<std::string> RunnerNames() {
    std::vector<std::string> names{std::string(runners::NativeRunner::kName),
                                   std::string(runners::RemoteRunner::kName)};
    ForEachKindSchema(
        [&]<typename Options>(std::type_identity<Options>) { names.emplace_back(KindSchema<Options>::kRunner); });
    return names;
  }

  void CheckKinds() {
    runners::NativeRunner builtins;
    MR_CHECK(runners::RegisterBuiltins(builtins).ok(), "a built-in kind has two names");
    for (const KindConfig& kind : config_.kinds) {
      const std::string& name = kind.options.name;
      const std::string& origin = origins_["kind." + name];
      std::visit([&]<typename Options>(const Options&) { CheckPoolOf<KindSchema<Options>>(kind); }, kind.runs);
      if (builtins.FindKind(name) != nullptr) {
        problems_.Add(origin, "the kind '" + name + "' has the name of the built-in kind '" + name +
                                  "', which clients would get instead; choose another name, such as 'my-" + name + "'");
      }
      std::visit([&](const auto& options) { CheckRuns(kind, options); }, kind.runs);
    }
  }

  template <typename Options>
  void CheckRuns(const KindConfig& kind, const Options& options) {
    using Schema = KindSchema<Options>;
    const std::string& name = kind.options.name;
    auto what = origins_.find("what " + name + " runs");
    if (what == origins_.end()) {
      problems_.Add(origins_["kind." + name], "the kind '" + name + "' runs nothing; add " + Schema::kExample);
    } else if (!Schema::Said(options)) {
      return;  // Its value cannot be read, which has been told.
    } else if (Status status = Schema::Check(kind.options, options); !status.ok()) {
      problems_.Add(what->second, status.message());
    }
  }

  template <typename Schema>
  void CheckPoolOf(const KindConfig& kind) {
    const std::string& name = kind.options.name;
    const std::string pool_name = kind.options.pool.empty() ? "default" : kind.options.pool;
    auto named = origins_.find("pool of " + name);
    const std::string& origin = named != origins_.end() ? named->second : origins_["kind." + name];

    const std::string runner(Schema::kRunner);
    std::vector<std::string> pools, fitting;
    const dispatch::PoolOptions* found = nullptr;
    for (const auto& pool : config_.pools) {
      pools.push_back(pool.name);
      if (pool.runner == runner) fitting.push_back(pool.name);
      if (pool.name == pool_name) found = &pool;
    }
    const std::vector<std::string> runners = RunnerNames();
    if (found == nullptr) {
      problems_.Add(origin, "the kind '" + name + "' names the pool '" + pool_name + "', which is not declared" +
                                Suggest(pool_name, pools));
    } else if (found->runner != runner && std::find(runners.begin(), runners.end(), found->runner) != runners.end()) {
      std::string fix = "; declare a pool with runner = \"" + runner + "\" and name it here";
      if (!fitting.empty()) {
        fix = "; set pool to one that does:";
        for (const auto& each : fitting) fix += " " + each;
      }
      problems_.Add(origin, "the kind '" + name + "' is " + Schema::kOne + ", but its pool '" + pool_name +
                                "' does not run " + Schema::kMany + fix);
    }
  }

  static constexpr int64_t kMebibyte = int64_t{1} << 20, kBudgetLeast = 2 * kMebibyte;

  const int64_t memory_bytes_;
  Config config_;
  Problems problems_;
  std::map<std::string, std::string>
      origins_;  // "pool.NAME", "kind.NAME", "runner of NAME", ... to where it was written.
};

}  // namespace

Loaded LoadText(std::string_view text, const std::string& name, const std::vector<Override>& overrides,
                int64_t memory_bytes) {
  auto file = ParseToml(text, name);
  if (!file.ok()) return {{}, {file.status().message()}};
  return Loader(memory_bytes).Load(*file, overrides);
}

Loaded Load(const CommandLine& command_line) {
  const std::string& name = command_line.config_file;
  if (name.empty()) return LoadText("", "", command_line.overrides, MemoryLimit());

  std::error_code error;
  if (std::filesystem::is_directory(name, error)) return {{}, {name + ": is a folder; --config wants a TOML file"}};
  std::ifstream file(name, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf() || file.peek() == EOF)) {
    return {{}, {name + ": cannot be read: " + strerror(errno) + "; --config wants a TOML file"}};
  }
  return LoadText(text.str(), name, command_line.overrides, MemoryLimit());
}

std::string ToToml(const Config& config, Secrets secrets) {
  Config copy = config;
  if (secrets == Secrets::kHidden) HideSecrets(&copy);
  std::string text;
  ForEachSection(&copy, [&](const Section& section) { text += section.Print() + "\n"; });
  text.pop_back();
  return text;
}

}  // namespace millrace::config
