#include "runtime/thread_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace millrace::rt {

// State S or D in /proc/self/task/TID/stat.
bool ThreadSleeps(pid_t tid) {
  char path[40] = "/proc/self/task/";
  char digits[12];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + tid % 10);
  while ((tid /= 10) > 0);
  char* end = path + 16;
  while (count > 0) *end++ = digits[--count];
  for (const char* rest = "/stat"; *rest != '\0';) *end++ = *rest++;
  *end = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[96];
  ssize_t bytes = read(fd, text, sizeof text);
  close(fd);
  // "123 (name) S ...": the name has 15 characters at most and may hold anything.
  for (ssize_t i = bytes - 3; i > 0; --i) {
    if (text[i] == ')') return text[i + 2] == 'S' || text[i + 2] == 'D';
  }
  return false;
}

int ThreadCount() {
  // num_threads is field 20 of /proc/self/stat; the name in field 2 may hold anything, so fields are counted from its ')'.
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
