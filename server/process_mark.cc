#include "process_mark.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "base/id.h"

namespace millrace {
namespace {

Status Unusable(const std::string& path, int error) {
  return FailedPrecondition("DATA_DIR_UNUSABLE", "the file " + path + " cannot be used: " + strerrordesc_np(error) +
                                                     "; make it writable or choose another folder with --data-dir");
}

}  // namespace

Result<ProcessMark> ProcessMark::Open(const std::string& data_dir) {
  ProcessMark mark;
  SystemClock clock;
  mark.text_ = IdGenerator(clock).Next().ToString();
  if (data_dir.empty()) return mark;

  const std::string path = data_dir + "/processes";
  mark.file_.Reset(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!mark.file_.valid()) return Unusable(path, errno);
  if (flock(mark.file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Unusable(path, errno);
    return FailedPrecondition("DATA_DIR_IN_USE", "the folder " + data_dir +
                                                     " is used by another millraced; stop that one or choose another "
                                                     "folder with --data-dir");
  }
  struct stat file {};
  if (fstat(mark.file_.get(), &file) != 0) return Unusable(path, errno);
  const std::string place = " " + std::to_string(file.st_dev) + " " + std::to_string(file.st_ino) + "\n";

  char text[256] = {};
  const ssize_t got = pread(mark.file_.get(), text, sizeof text - 1, 0);
  if (got < 0) return Unusable(path, errno);
  const std::string line(text, static_cast<size_t>(got));
  if (std::optional<Id> id = Id::Parse(line.substr(0, line.find(' '))); id && line == id->ToString() + place) {
    mark.text_ = id->ToString();
    mark.kept_ = true;
    return mark;
  }
  const std::string fresh = mark.text_ + place;
  if (ftruncate(mark.file_.get(), 0) != 0 ||
      pwrite(mark.file_.get(), fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size())) {
    return Unusable(path, errno);
  }
  return mark;
}

}  // namespace millrace
