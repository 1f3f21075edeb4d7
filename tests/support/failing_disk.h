// A disk that fails on demand: the system calls on the files below one folder, of this process and of the libraries in
// it, answer with an error. failing_disk.cc stands before libc in the program that links it. As LD_PRELOAD it does the
// same for a daemon, at the word of a file: MILLRACE_FAILING_DISK=FOLDER and MILLRACE_FAULTS=FILE, and in FILE, read at
// each call, "sync 5": every fsync fails with EIO. Words: write, sync, change (making, renaming, cutting, and opening
// to write); a number of errno.h; none or no file: all is well.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace millrace::test {

class FailingDisk {
 public:
  enum Op : unsigned { kWrite = 1, kSync = 2, kChange = 4, kAll = 7 };

  // One at a time.
  explicit FailingDisk(std::string folder);
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  struct Fault {
    unsigned ops = kAll;
    int error = 0;
    uint64_t after = 0;           // So many such calls are made first.
    uint64_t times = UINT64_MAX;  // Then so many fail.
    std::string suffix = {};      // Only of files with such a name.
  };
  void Set(const Fault& fault);
  void Heal() { Set({}); }
  // Calls that were failed since Set.
  uint64_t failed() const;
};

}  // namespace millrace::test
