// LabelSet: the labels of a job, name to value. Copies share one map, so the spec, the job and the events that tell of
// it hold the same memory; changing one of them copies it first.
//   Threads   As for a shared_ptr: each copy belongs to one thread; what the copies share does not change.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace millrace {

class LabelSet {
 public:
  using Map = std::map<std::string, std::string>;

  LabelSet() = default;
  LabelSet(std::initializer_list<Map::value_type> labels) { Own() = labels; }

  bool empty() const { return !map_ || map_->empty(); }
  size_t size() const { return map_ ? map_->size() : 0; }
  Map::const_iterator begin() const { return map().begin(); }
  Map::const_iterator end() const { return map().end(); }
  Map::const_iterator find(const std::string& name) const { return map().find(name); }
  const std::string& at(const std::string& name) const { return map().at(name); }

  template <typename Name, typename Value>
  void emplace(Name&& name, Value&& value) {
    Own().emplace(std::forward<Name>(name), std::forward<Value>(value));
  }
  std::string& operator[](const std::string& name) { return Own()[name]; }

  const Map& map() const {
    static const Map none;
    return map_ ? *map_ : none;
  }
  // nullptr: there never were any.
  const std::shared_ptr<const Map>& shared() const { return map_; }

  friend bool operator==(const LabelSet& a, const LabelSet& b) { return a.map() == b.map(); }

 private:
  // The map, shared with nobody.
  Map& Own() {
    if (!map_ || map_.use_count() > 1) {
      auto own = map_ ? std::make_shared<Map>(*map_) : std::make_shared<Map>();
      Map& changed = *own;
      map_ = std::move(own);
      return changed;
    }
    return const_cast<Map&>(*map_);  // It was made above, where it was not const.
  }

  std::shared_ptr<const Map> map_;
};

}  // namespace millrace
