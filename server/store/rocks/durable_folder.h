// A folder that is still there when the power comes back: a new name is on the disk only after an fsync of the folder
// it stands in.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::store {

// Makes `folder` and what is missing above it, and syncs every folder on the way to it, since an earlier process may
// have made them and died. Those that may not be read are left out: they are somebody else's, and older. The errors of
// disk_errors.h.
Status MakeDurableFolder(const std::string& folder);

}  // namespace millrace::store
