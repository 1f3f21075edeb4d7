#include "runtime/thread_state.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace millrace::rt {

namespace {

// Reads /proc/self/task/TID/`name`. Negative when that cannot be.
ssize_t ReadTaskFile(pid_t tid, const char* name, char* text, size_t size) {
  char path[48] = "/proc/self/task/";
  char digits[12];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + tid % 10);
  while ((tid /= 10) > 0);
  char* end = path + 16;
  while (count > 0) *end++ = digits[--count];
  *end++ = '/';
  while (*name != '\0') *end++ = *name++;
  *end = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t bytes = read(fd, text, size);
  close(fd);
  return bytes;
}

}  // namespace

// State S or D in the file stat, "123 (name) S ...": the name has 15 characters at most and may hold anything.
ThreadDoes WhatThreadDoes(pid_t tid) {
  char text[96];
  for (ssize_t i = ReadTaskFile(tid, "stat", text, sizeof text) - 3; i > 0; --i) {
    if (text[i] == ')') return text[i + 2] == 'S' || text[i + 2] == 'D' ? ThreadDoes::kSleep : ThreadDoes::kRun;
  }
  return ThreadDoes::kUnknown;
}

// The file syscall: "running", or the number of the call and more; "-1" for a page that is being read.
SleepsFor WhatThreadSleepsFor(pid_t tid) {
  char text[96];
  ssize_t bytes = ReadTaskFile(tid, "syscall", text, sizeof text - 1);
  if (bytes <= 0 || text[0] < '0' || text[0] > '9') return SleepsFor::kNothing;
  text[bytes] = '\0';
  switch (atol(text)) {
    case SYS_futex:
      return SleepsFor::kLock;
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_madvise:
    case SYS_brk:
      return SleepsFor::kMemory;
    default:
      return SleepsFor::kOutside;
  }
}

// The file syscall again: stack pointer and program counter are the last two numbers.
bool WhereThreadSleeps(pid_t tid, uintptr_t* pc, uintptr_t* sp) {
  char text[256];
  ssize_t bytes = ReadTaskFile(tid, "syscall", text, sizeof text - 1);
  if (bytes <= 0 || text[0] == 'r') return false;
  text[bytes] = '\0';
  const char* last = strrchr(text, ' ');
  if (last == nullptr) return false;
  const char* before = last;
  while (before > text && before[-1] != ' ') --before;
  *sp = strtoull(before, nullptr, 16);
  *pc = strtoull(last + 1, nullptr, 16);
  return *sp != 0 && *pc != 0;
}

int ThreadCount() {
  // num_threads is field 20 of /proc/self/stat; the name in field 2 may hold anything, so fields are counted from its
  // ')'.
  char text[512];
  int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return INT_MAX;
  ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  if (bytes <= 0) return INT_MAX;
  text[bytes] = '\0';
  const char* at = strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 20; ++field) at = strchr(at + 1, ' ');
  return at != nullptr ? atoi(at + 1) : INT_MAX;
}

int64_t ThreadCpuNs(pid_t tid) {
  // As pthread_getcpuclockid makes it of a thread id: the kernel's per-thread CPU clock.
  constexpr clockid_t kPerThread = 4, kSchedClock = 2;
  timespec time{};
  clock_gettime((~static_cast<clockid_t>(tid) << 3) | kPerThread | kSchedClock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace millrace::rt
