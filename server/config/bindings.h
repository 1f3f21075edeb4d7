// Which key is which field: the one list of everything that can be configured.
#pragma once

#include <string>

#include "config/config.h"
#include "config/schema.h"

namespace millrace::config {

// Sections over the fields of one Config, which outlives them.
struct ConfigBinding {
  explicit ConfigBinding(Config* config);
  // nullptr: there is no such section.
  Section* Find(std::string_view section);

  Section server{"server"};
  Section log{"log"};
  Section runtime{"runtime"};
  Section jobs{"jobs"};
};

struct PoolBinding {
  explicit PoolBinding(dispatch::PoolOptions* pool);
  Section section;
};

struct KindBinding {
  explicit KindBinding(ExecKind* kind);
  Section section;
  Section limits;
  Section retry;
};

}  // namespace millrace::config
