// Is a place that an operator names free for something new? The folder in which millraced keeps its jobs is never free,
// by whatever name it is reached: a link, a bind mount, a detour over "..".
//   Threads   Pure functions of what the file system says at that moment.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::store {

// `given` as the system will reach it: absolute, every link and ".." before the last name resolved, no slash at its
// end. INVALID_ARGUMENT BAD_FOLDER: not absolute, or without a name at its end. FAILED_PRECONDITION FOLDER_UNUSABLE:
// the folder it would lie in is not there.
Result<std::string> ResolvePlace(const std::string& given);

// FAILED_PRECONDITION FOLDER_UNUSABLE: `place` is `data_dir`, lies in it, or holds it. Folders are compared by device
// and number.
Status CheckOutside(const std::string& place, const std::string& data_dir);

// UNAVAILABLE STORE_FAILED: in the folder of the store lies something that is no file and has a name as RocksDB gives
// to its files, now or later.
Status CheckUnobstructed(const std::string& store);

// FAILED_PRECONDITION DATA_DIR_UNUSABLE: what a new store would lie in is a store itself.
Status CheckNotInStore(const std::string& store);

}  // namespace millrace::store
