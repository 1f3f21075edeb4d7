// Which key is which field: the list of everything that can be configured, section by section.
//
//   [server], [log], ...   A function for each, in one table (bindings.cc): what a new module can be told is a line
//                          there.
//   [pool.NAME]            One section for each pool.
//   [kind.NAME]            One for each kind: what every kind has, and what its runner adds (kind_schema.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/schema.h"

namespace millrace::config {

// The sections that are there once, over the fields of one Config, which outlives them.
class ConfigBinding {
 public:
  explicit ConfigBinding(Config* config);
  // nullptr: there is no such section.
  Section* Find(std::string_view section);
  // The section must be there.
  const Section& Get(std::string_view section);
  const std::vector<std::unique_ptr<Section>>& sections() const { return sections_; }

 private:
  std::vector<std::unique_ptr<Section>> sections_;
};

struct PoolBinding {
  explicit PoolBinding(dispatch::PoolOptions* pool);
  Section section;
};

// The type in `runs` is chosen before, and stays.
struct KindBinding {
  explicit KindBinding(KindConfig* kind);
  Section section;
  Section retry;
  std::shared_ptr<void> schema;  // The runner's part.
};

// All sections, those of pools and kinds included.
void ForEachSection(Config* config, const std::function<void(const Section&)>& visit);

}  // namespace millrace::config
