// ProcessMark: the mark (io/process_tree.h) of all processes that the daemons of one data folder start. By it a daemon
// finds the processes that an earlier daemon left when it was killed.
//
// The mark is kept in the file `processes` of the folder, which is locked while the daemon lives. A copy of the folder,
// such as a backup, gets a mark of its own: the file also says which file it is (device and inode).
#pragma once

#include <string>

#include "base/status.h"
#include "io/unique_fd.h"

namespace millrace {

class ProcessMark {
 public:
  // `data_dir` exists; empty: there is none, and the mark is new. FAILED_PRECONDITION: DATA_DIR_IN_USE,
  // DATA_DIR_UNUSABLE.
  static Result<ProcessMark> Open(const std::string& data_dir);

  const std::string& text() const { return text_; }
  // An earlier daemon may have left processes that carry it.
  bool kept() const { return kept_; }

 private:
  std::string text_;
  bool kept_ = false;
  io::UniqueFd file_;
};

}  // namespace millrace
