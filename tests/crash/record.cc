// The program behind the kind "record": writes "JOB ATTEMPT begins TIME" at the end of the file that its first argument
// names, does what the first word of its payload says, and before it succeeds writes "JOB ATTEMPT ends TIME". TIME is
// CLOCK_MONOTONIC, in nanoseconds. Its result is its payload.
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <string>

namespace {

// One write at the end of a file: no two lines mix, and none is there in part.
bool Write(int file, const std::string& what) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::string line = what + " " + std::to_string(now.tv_sec * 1'000'000'000LL + now.tv_nsec) + "\n";
  return write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace

int main(int count, char** arguments) {
  const char* job = getenv("MILLRACE_JOB_ID");
  const char* attempt = getenv("MILLRACE_ATTEMPT");
  if (count != 2 || job == nullptr || attempt == nullptr) return 2;
  const std::string name = std::string(job) + " " + attempt;
  const int file = open(arguments[1], O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (file < 0 || !Write(file, name + " begins")) return 3;

  std::string payload;
  char bytes[4096];
  for (ssize_t got; (got = read(0, bytes, sizeof(bytes))) > 0;) payload.append(bytes, static_cast<size_t>(got));
  const std::string word = payload.substr(0, payload.find(' '));
  if (word == "fail-first" && std::string(attempt) == "1") return 1;
  if (word == "slow") {
    const timespec pause{0, 30'000'000};
    nanosleep(&pause, nullptr);
  }
  if (!Write(file, name + " ends")) return 3;
  return write(1, payload.data(), payload.size()) == static_cast<ssize_t>(payload.size()) ? 0 : 3;
}
