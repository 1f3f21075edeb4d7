#include "config/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/cgroup.h"
#include "config/bindings.h"
#include "runners/builtin.h"
#include "runners/native.h"

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
    CheckServer(binding.server);
    FitBudgets(binding.jobs, binding.server);
    CheckPools();
    CheckKinds();
    return {std::move(config_), problems_.list()};
  }

 private:
  void ReadFile(const Node& file, ConfigBinding* binding) {
    for (const Node& child : file.children) {
      if (Section* section = binding->Find(child.name)) {
        section->Read(child, &problems_);
      } else if (child.name == "pool") {
        ReadPools(child);
      } else if (child.name == "kind") {
        ReadKinds(child);
      } else {
        problems_.Add(child.origin, "unknown section [" + child.name + "]" +
                                        Suggest(child.name, {"server", "log", "runtime", "jobs", "pool", "kind"}));
      }
    }
  }

  void ReadPools(const Node& pools) {
    for (const Node* child : NamedTables(pools, "pool", "[pool.thumbs]")) {
      dispatch::PoolOptions pool{.name = child->name};
      PoolBinding(&pool).section.Read(*child, &problems_);
      origins_["pool." + pool.name] = child->origin;
      if (const Node* runner = child->Find("runner")) origins_["runner of " + pool.name] = runner->origin;
      config_.pools.push_back(std::move(pool));
    }
  }

  void ReadKinds(const Node& kinds) {
    for (const Node* child : NamedTables(kinds, "kind", "[kind.resize]")) {
      ExecKind kind{.options = {.name = child->name}};
      KindBinding binding(&kind);
      binding.section.Read(*child, &problems_);
      origins_["kind." + kind.options.name] = child->origin;
      if (const Node* pool = child->Find("pool")) origins_["pool of " + kind.options.name] = pool->origin;
      if (const Node* exec = child->Find("exec")) origins_["exec of " + kind.options.name] = exec->origin;
      config_.kinds.push_back(std::move(kind));
    }
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

  // A quarter for unfinished jobs; what the store, gRPC and the allocator make of them comes on top, and about doubles it.
  void FitBudgets(const Section& jobs, const Section& server) {
    if (memory_bytes_ <= 0) return;
    auto fit = [&](const char* key, int64_t* field, int64_t share) {
      if (jobs.Automatic(key)) *field = std::clamp(memory_bytes_ / share / kMebibyte * kMebibyte, kBudgetLeast, *field);
    };
    dispatch::DispatcherOptions& options = config_.jobs;
    fit("process_bytes_max", &options.process_bytes_max, 4);
    fit("hot_bytes_max", &options.hot_bytes_max, 16);
    fit("waiting_bytes_max", &options.waiting_bytes_max, 16);
    fit("request_ids_bytes_max", &options.request_ids_bytes_max, 16);
    if (server.Automatic("call_bytes_max")) {
      // Half of it bounds a message, and two of the largest payload fit in any case.
      const int64_t least = 2 * static_cast<int64_t>(options.payload_bytes_max) + 4 * kMebibyte;
      const int64_t share = memory_bytes_ / 4 / kMebibyte * kMebibyte;
      config_.call_bytes_max = std::min(config_.call_bytes_max, std::max(share, least));
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
      bool valid =
          !pool.name.empty() && pool.name.size() <= 63 && std::all_of(pool.name.begin(), pool.name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
          });
      if (!valid) {
        problems_.Add(origins_["pool." + pool.name],
                      "'" + pool.name + "' cannot name a pool; use 1 to 63 of a-z 0-9 _ -");
      }
      if (pool.runner != "native" && pool.runner != "exec") {
        problems_.Add(origins_["runner of " + pool.name], "unknown runner '" + pool.runner + "' for the pool '" +
                                                              pool.name + "'" +
                                                              Suggest(pool.runner, {"native", "exec"}));
      }
    }
  }

  void CheckKinds() {
    runners::NativeRunner builtins;
    MR_CHECK(runners::RegisterBuiltins(builtins).ok(), "a built-in kind has two names");
    for (const ExecKind& kind : config_.kinds) {
      const std::string& name = kind.options.name;
      const std::string& origin = origins_["kind." + name];
      CheckPoolOf(kind);
      if (builtins.FindKind(name) != nullptr) {
        problems_.Add(origin, "the kind '" + name + "' has the name of the built-in kind '" + name +
                                  "', which clients would get instead; choose another name, such as 'my-" + name + "'");
      }
      auto exec = origins_.find("exec of " + name);
      if (exec == origins_.end()) {
        problems_.Add(origin, "the kind '" + name + "' runs nothing; add exec = [\"/path/to/program\", \"argument\"]");
      } else if (kind.exec.argv.empty()) {
        continue;  // Not a list of words, which has been told.
      } else if (Status status = runners::ExecRunner::Prepare(kind.options, kind.exec).status(); !status.ok()) {
        problems_.Add(exec->second, status.message());
      }
    }
  }

  void CheckPoolOf(const ExecKind& kind) {
    const std::string& name = kind.options.name;
    const std::string pool_name = kind.options.pool.empty() ? "default" : kind.options.pool;
    auto named = origins_.find("pool of " + name);
    const std::string& origin = named != origins_.end() ? named->second : origins_["kind." + name];

    std::vector<std::string> pools, exec_pools;
    const dispatch::PoolOptions* found = nullptr;
    for (const auto& pool : config_.pools) {
      pools.push_back(pool.name);
      if (pool.runner == "exec") exec_pools.push_back(pool.name);
      if (pool.name == pool_name) found = &pool;
    }
    if (found == nullptr) {
      problems_.Add(origin, "the kind '" + name + "' names the pool '" + pool_name + "', which is not declared" +
                                Suggest(pool_name, pools));
    } else if (found->runner == "native") {
      std::string fix = "; declare a pool with runner = \"exec\" and name it here";
      if (!exec_pools.empty()) {
        fix = "; set pool to one that does:";
        for (const auto& exec_pool : exec_pools) fix += " " + exec_pool;
      }
      problems_.Add(
          origin, "the kind '" + name + "' is a program, but its pool '" + pool_name + "' does not run programs" + fix);
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
  ConfigBinding binding(&copy);
  std::string text;
  for (Section* section : {&binding.server, &binding.log, &binding.runtime, &binding.jobs})
    text += section->Print() + "\n";
  for (auto& pool : copy.pools) text += PoolBinding(&pool).section.Print() + "\n";
  for (auto& kind : copy.kinds) {
    if (secrets == Secrets::kHidden) {
      for (auto& [name, value] : kind.exec.env) value = "(hidden)";
    }
    text += KindBinding(&kind).section.Print() + "\n";
  }
  text.pop_back();
  return text;
}

}  // namespace millrace::config
