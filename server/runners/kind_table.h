// KindTable: the kinds of a runner by name, which can be replaced while jobs run.
//
//   Versions   What was found never changes: a kind that is replaced has a new version beside the old one. An attempt
//              goes on with the version that it began with; whoever asks later finds the newest.
//   Memory     Versions stay until the KindTable goes, names included, since jobs and events point to them. A kind that
//              is as it was in an earlier version is that version again. So a Replace costs what is new in it, and 24
//              bytes a kind.
//   Threads    Find and Names take no lock, from any thread. Replace excludes itself. Add only before others may call
//              Find.
#pragma once

#include <algorithm>
#include <concepts>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/published.h"
#include "base/status.h"
#include "dispatch/runner.h"
#include "sync/mutex.h"

namespace millrace::runners {

// `Own`: what a runner knows of a kind beyond its options.
template <typename Own>
class KindTable {
 public:
  struct Kind {
    dispatch::KindOptions options;
    Own own;
  };

  // `runner`: "exec", for messages.
  explicit KindTable(std::string_view runner) : runner_(runner) {}
  KindTable(const KindTable&) = delete;
  KindTable& operator=(const KindTable&) = delete;

  // ALREADY_EXISTS: the name is taken.
  Status Add(Kind kind) {
    std::lock_guard guard(writers_);
    const std::string& name = kind.options.name;
    Table& table = table_.Unshared();
    auto place = PlaceOf(table, name);
    if (place != table.end() && place->name == name) {
      return AlreadyExists("KIND_EXISTS", runner_ + " kind '" + name + "' is registered twice").With("kind", name);
    }
    const Kind* version = VersionOf(std::move(kind));
    table.insert(place, {version->options.name, version});
    return OkStatus();
  }

  // From now on the kinds are these, under the names of their options.
  void Replace(std::vector<Kind> kinds) {
    std::lock_guard guard(writers_);
    Table table;
    table.reserve(kinds.size());
    for (Kind& kind : kinds) {
      const Kind* version = VersionOf(std::move(kind));
      table.push_back({version->options.name, version});
    }
    std::sort(table.begin(), table.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
    const auto twice =
        std::adjacent_find(table.begin(), table.end(), [](const Row& a, const Row& b) { return a.name == b.name; });
    MR_CHECK(twice == table.end(), "two kinds of the runner '%s' have one name", runner_.c_str());
    if (table != table_.Get()) table_.Replace(std::move(table));
  }

  // nullptr: there is none of that name.
  const Kind* Find(std::string_view name) const {
    const Table& table = table_.Get();
    auto place = PlaceOf(table, name);
    return place != table.end() && place->name == name ? place->kind : nullptr;
  }
  const dispatch::KindOptions* FindOptions(std::string_view name) const {
    const Kind* kind = Find(name);
    return kind != nullptr ? &kind->options : nullptr;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Row& row : table_.Get()) names.emplace_back(row.name);
    return names;
  }

 private:
  struct Row {
    std::string_view name;  // Of the kind's options.
    const Kind* kind;
    bool operator==(const Row& other) const { return kind == other.kind; }
  };
  using Table = std::vector<Row>;  // In the order of names.

  template <typename T>
  static auto PlaceOf(T& table, std::string_view name) {
    return std::lower_bound(table.begin(), table.end(), name,
                            [](const Row& row, std::string_view wanted) { return row.name < wanted; });
  }

  const Kind* VersionOf(Kind kind) {
    auto& versions = versions_[kind.options.name];
    if constexpr (std::equality_comparable<Own>) {
      for (const auto& version : versions) {
        if (version->options == kind.options && version->own == kind.own) return version.get();
      }
    }
    versions.push_back(std::make_unique<const Kind>(std::move(kind)));
    return versions.back().get();
  }

  const std::string runner_;
  sync::Mutex writers_;
  std::map<std::string, std::vector<std::unique_ptr<const Kind>>> versions_;
  Published<Table> table_;
};

}  // namespace millrace::runners
