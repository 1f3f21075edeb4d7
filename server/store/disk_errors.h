// What a disk says, as a Status for people: which folder, what failed, what to do.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::store {

// UNAVAILABLE DISK_FULL or STORE_FAILED, by the error number of the system; `what` failed.
Status DiskError(const std::string& folder, int error, std::string_view what);
// The same from a library's words, which end with the system's.
Status DiskError(const std::string& folder, const std::string& said);
// INTERNAL STORE_DAMAGED: what is there is not what was written.
Status StoreDamaged(const std::string& folder, std::string_view what);
bool IsDamage(const Status& status);
// FAILED_PRECONDITION STORE_IN_USE.
Status StoreInUse(const std::string& folder);

}  // namespace millrace::store
