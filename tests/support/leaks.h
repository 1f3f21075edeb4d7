// What a test about processes and files must leave as it found it.
#pragma once

#include <dirent.h>
#include <sys/wait.h>

#include <cerrno>

namespace millrace::test {

// Descriptors open in this process, the one used for counting left out.
inline int OpenDescriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (!folder) return -1;
  int count = -1;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

// No child at all, neither alive nor a zombie.
inline bool HasNoChildren() {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

}  // namespace millrace::test
