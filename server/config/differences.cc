#include "config/differences.h"

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/bindings.h"
#include "config/exec_kind.h"
#include "config/kind_schema.h"

namespace millrace::config {

namespace {

struct Value {
  std::string all;    // "": unset.
  std::string shown;  // Without secrets.
};
// By section and key, in the order in which they are printed.
struct Table {
  std::string path;
  std::vector<std::pair<std::string, Value>> keys;
};

std::vector<Table> TablesOf(Config config) {
  std::vector<Table> tables;
  ForEachSection(&config, [&](const Section& section) {
    Table& table = tables.emplace_back(Table{.path = section.path()});
    for (auto& [key, value] : section.Values()) table.keys.emplace_back(key, Value{.all = value});
  });
  HideSecrets(&config);
  size_t next = 0;
  ForEachSection(&config, [&](const Section& section) {
    Table& table = tables[next++];
    size_t key = 0;
    for (auto& value : section.Values()) table.keys[key++].second.shown = value.second;
  });
  return tables;
}

const Value* Find(const Table& table, const std::string& key) {
  for (const auto& [name, value] : table.keys) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string Change(const std::string& setting, const Value& was, const Value& becomes) {
  if (was.all.empty()) return setting + " becomes " + becomes.shown + ", and was not set";
  if (becomes.all.empty()) return setting + " = " + was.shown + " is not set any more";
  if (was.shown == becomes.shown) return setting + " = " + was.shown + " changes in what is secret";
  return setting + " = " + was.shown + " becomes " + becomes.shown;
}

}  // namespace

void HideSecrets(Config* config) {
  for (KindConfig& kind : config->kinds) {
    std::visit([](auto& options) { KindSchemaOf<decltype(options)>::HideSecrets(&options); }, kind.runs);
  }
}

std::vector<std::string> Differences(const Config& now, const Config& next) {
  std::vector<std::string> differences;
  std::map<std::string, Table> left;
  for (Table& table : TablesOf(now)) left.emplace(table.path, std::move(table));
  for (const Table& table : TablesOf(next)) {
    const std::string section = "[" + table.path + "]";
    auto was = left.extract(table.path);
    if (was.empty()) {
      differences.push_back(section + " is new");
      continue;
    }
    const Table& before = was.mapped();
    for (const auto& [key, value] : table.keys) {
      const Value* found = Find(before, key);
      const Value old = found != nullptr ? *found : Value();
      if (old.all != value.all) differences.push_back(Change(section + " " + key, old, value));
    }
    // Keys that the kind no longer has, as another runner runs it.
    for (const auto& [key, old] : before.keys) {
      if (!old.all.empty() && Find(table, key) == nullptr)
        differences.push_back(Change(section + " " + key, old, Value()));
    }
  }
  for (const auto& [path, table] : left) differences.push_back("[" + path + "] is gone");
  return differences;
}

}  // namespace millrace::config
