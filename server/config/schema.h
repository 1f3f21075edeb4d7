// Section: the keys of one TOML table, each bound to a field of somebody's Options. One description serves reading a
// file, overriding by environment and flags, and printing.
//
//   Section pool("pool.thumbs");
//   pool.Integer("workers", &options.workers, 1, 10'000);
//   pool.Read(node, &problems);       // fields change where the table has their key; everything wrong is told at once
//
// A field keeps its value where the table is silent or wrong. The bound fields outlive the section.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "config/node.h"

namespace millrace::config {

// Everything that is wrong, in the order found; each "place: what and the fix".
class Problems {
 public:
  void Add(const std::string& origin, const std::string& text) { list_.push_back(origin + ": " + text); }
  bool empty() const { return list_.empty(); }
  const std::vector<std::string>& list() const { return list_; }

 private:
  std::vector<std::string> list_;
};

// "; did you mean 'workers'?" for the nearest of `known`, else "; known are: a, b, c".
std::string Suggest(std::string_view wrong, const std::vector<std::string>& known);

class Section {
 public:
  explicit Section(std::string path) : path_(std::move(path)) {}
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  void Integer(std::string key, int* field, int64_t min, int64_t max);
  void Integer(std::string key, int64_t* field, int64_t min, int64_t max);
  void Integer(std::string key, size_t* field, int64_t min, int64_t max);
  void Integer(std::string key, std::optional<int>* field, int64_t min, int64_t max);
  void Integer(std::string key, std::optional<int64_t>* field, int64_t min, int64_t max);
  void Number(std::string key, std::optional<double>* field, double min, double max);
  void Duration(std::string key, Nanos* field, Nanos min, Nanos max);
  void Duration(std::string key, std::optional<Nanos>* field, Nanos min, Nanos max);
  void Size(std::string key, int64_t* field, int64_t min, int64_t max);
  void Size(std::string key, size_t* field, int64_t min, int64_t max);
  void Size(std::string key, std::optional<int64_t>* field, int64_t min, int64_t max);
  // A size, or "auto": the field then keeps its first value, which config.cc may lower. Automatic says which it is.
  void Budget(std::string key, int64_t* field, int64_t min, int64_t max);
  void Boolean(std::string key, bool* field);
  void Text(std::string key, std::string* field);
  void Listen(std::string key, Address* field);
  void TextList(std::string key, std::vector<std::string>* field);
  void IntegerList(std::string key, std::vector<int>* field, int64_t min, int64_t max);
  void TextMap(std::string key, std::map<std::string, std::string>* field);
  // One of `names`; the field gets its position.
  void Choice(std::string key, std::vector<std::string> names, std::function<void(size_t)> set,
              std::function<size_t()> get);
  // A table inside this one, which is printed on one line.
  void Table(std::string key, Section* inner);

  // Every key of the table; unknown ones are problems.
  void Read(const Node& table, Problems* problems);
  // One key. False: there is none of that name.
  bool ReadKey(std::string_view key, const Node& value, Problems* problems);

  // "[pool.thumbs]\nworkers = 8\n"; keys whose field is unset are left out.
  std::string Print() const;
  // Every key with its value as TOML, "" where the field is unset.
  std::vector<std::pair<std::string, std::string>> Values() const;
  const std::string& path() const { return path_; }
  std::vector<std::string> Names() const;  // The names of the keys.
  // A budget that nobody has set to a size.
  bool Automatic(const std::string& key) const { return automatic_.contains(key); }
  // Where the key's value was written last; "default" when nowhere.
  std::string Origin(std::string_view key) const;

 private:
  struct Key {
    std::string name;
    std::function<void(const Node&, Problems*)> read;
    std::function<std::string()> print;  // As TOML; "": leave out.
    std::string origin = "default";
  };
  std::string PrintInline() const;

  template <typename Field>
  void AddInteger(std::string key, Field* field, int64_t min, int64_t max);
  template <typename Field>
  void AddDuration(std::string key, Field* field, Nanos min, Nanos max);
  template <typename Field>
  void AddSize(std::string key, Field* field, int64_t min, int64_t max);

  std::string path_;
  std::vector<Key> keys_;
  std::set<std::string> automatic_;
};

}  // namespace millrace::config
