// The program behind the kind "record": writes "JOB ATTEMPT" at the end of the file that its first argument names, and then does what
// the first word of its payload says. Its result is its payload.
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <string>

int main(int count, char** arguments) {
  const char* job = getenv("MILLRACE_JOB_ID");
  const char* attempt = getenv("MILLRACE_ATTEMPT");
  if (count != 2 || job == nullptr || attempt == nullptr) return 2;
  // One write at the end of a file: no two lines mix, and none is there in part.
  const std::string line = std::string(job) + " " + attempt + "\n";
  const int file = open(arguments[1], O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (file < 0 || write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 3;

  std::string payload;
  char bytes[4096];
  for (ssize_t got; (got = read(0, bytes, sizeof(bytes))) > 0;) payload.append(bytes, static_cast<size_t>(got));
  const std::string word = payload.substr(0, payload.find(' '));
  if (word == "fail-first" && std::string(attempt) == "1") return 1;
  if (word == "slow") {
    const timespec pause{0, 30'000'000};
    nanosleep(&pause, nullptr);
  }
  return write(1, payload.data(), payload.size()) == static_cast<ssize_t>(payload.size()) ? 0 : 3;
}
