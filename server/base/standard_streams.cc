#include "base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace millrace {

void HoldStandardStreams() {
  // Nothing is initialised yet, so only system calls. Where /dev/null cannot be opened they stay as they are.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // open() gives the lowest free number, which is this one, since those below are taken. It is opened for the
    // direction in which nobody uses it, so that reads or writes fail.
    (void)open("/dev/null",
               fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // NOLINT: not close-on-exec, as for any standard stream
  }
}

}  // namespace millrace
