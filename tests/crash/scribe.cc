// A process that does to a folder what its arguments say, for power_cut_test.cc:
//
//   append FILE BYTES   sync FILE   folder-sync FOLDER   rename FROM TO   unlink FILE   mkdir FOLDER   truncate FILE
//                       overwrite FILE
//   shorten FILE BYTES
//
// BYTES are letters 'a', 'b', ... so that each place in a file has its own. Ends with SIGKILL, as a daemon that lost
// power would.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>

namespace {

std::map<std::string, std::pair<int, size_t>> files;  // Descriptor, and bytes written so far.

std::pair<int, size_t>& File(const std::string& name) {
  auto [file, fresh] = files.try_emplace(name, -1, 0);
  if (fresh) file->second.first = open(name.c_str(), O_CREAT | O_WRONLY, 0600);
  return file->second;
}

bool Do(const std::string& verb, char** arguments, int* used) {
  const std::string name = arguments[0];
  *used = 1;
  if (verb == "append") {
    auto& [fd, size] = File(name);
    std::string bytes(static_cast<size_t>(atol(arguments[1])), ' ');
    for (char& byte : bytes) byte = static_cast<char>('a' + size++ % 23);
    *used = 2;
    return write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  if (verb == "shorten") return *used = 2, ftruncate(File(name).first, atol(arguments[1])) == 0;
  if (verb == "sync") return fdatasync(File(name).first) == 0;
  if (verb == "rename") return *used = 2, rename(name.c_str(), arguments[1]) == 0;
  if (verb == "unlink") return unlink(name.c_str()) == 0;
  if (verb == "mkdir") return mkdir(name.c_str(), 0700) == 0;
  if (verb == "truncate") return close(open(name.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600)) == 0;
  if (verb == "overwrite") return lseek(File(name).first, 0, SEEK_SET) == 0 && write(File(name).first, "!", 1) == 1;
  if (verb != "folder-sync") return false;
  const int fd = open(name.c_str(), O_RDONLY | O_DIRECTORY);
  return fsync(fd) == 0 && close(fd) == 0;
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1, used = 0; i < count; i += 1 + used) {
    if (Do(arguments[i], arguments + i + 1, &used)) continue;
    perror(arguments[i]);
    return 1;
  }
  kill(getpid(), SIGKILL);
}
