// Migrate: a store of an older format, one step at a time. FORMAT.md tells what each format was.
#pragma once

#include "base/status.h"
#include "store/disk.h"

namespace millrace::store {

// Brings what lies there from `format` to the next one. A step that was interrupted is done again from its begin.
Status Migrate(Disk& disk, int format);

}  // namespace millrace::store
