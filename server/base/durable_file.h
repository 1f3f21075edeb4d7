// DurableFile: a small file that is replaced as a whole. After a crash it is the old one or the new one.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace {

// A failure, with the error number of the system. 0: nothing failed.
struct FileError {
  int error = 0;
  std::string what;  // "/data/pools.new cannot be written"
  bool ok() const { return error == 0; }
};

// Writes `text` to PATH.new, which only its owner may read, syncs it, puts it in the place of PATH and syncs the
// folder. One at a time for one path. It blocks its thread.
FileError ReplaceFile(const std::string& path, std::string_view text);

}  // namespace millrace
