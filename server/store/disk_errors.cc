#include "store/disk_errors.h"

#include <cerrno>
#include <cstring>

namespace millrace::store {

namespace {

struct Advice {
  int error;
  const char* reason;
  const char* what;  // Is the matter with the store in the folder.
  const char* fix;
};
constexpr Advice kAdvice[] = {
    {ENOSPC, "DISK_FULL", "has no room: the disk is full", "make room"},
    {EDQUOT, "DISK_FULL", "has no room: the quota is used up", "make room or raise the quota"},
    {EFBIG, "STORE_FAILED", "cannot be written", "raise the limit on the size of files (ulimit -f)"},
    {EROFS, "STORE_FAILED", "cannot be written: the file system is read-only",
     "see in the kernel's log (dmesg) why, and mount it writable"},
    {EIO, "STORE_FAILED", "cannot be used: the disk fails", "see the kernel's log (dmesg), and replace the disk"},
    {EACCES, "STORE_FAILED", "may not be used", "give the folder to the user that millraced runs as"},
    {EPERM, "STORE_FAILED", "may not be used", "give the folder to the user that millraced runs as"},
    {ENOTDIR, "STORE_FAILED", "cannot be used: it is not a folder", "choose another data folder"},
    {EMFILE, "STORE_FAILED", "cannot be used", "allow more open files (ulimit -n)"},
    {ENFILE, "STORE_FAILED", "cannot be used", "allow more open files (sysctl fs.file-max)"},
};
constexpr Advice kOther = {0, "STORE_FAILED", "cannot be used", "see the kernel's log (dmesg)"};

Status Make(const std::string& folder, const Advice& advice, const std::string& said) {
  return Unavailable(advice.reason, "the store in " + folder + " " + advice.what + " (" + said + "); " + advice.fix);
}

}  // namespace

Status DiskError(const std::string& folder, int error, std::string_view what) {
  const std::string said = std::string(what) + ": " + strerror(error);
  for (const Advice& advice : kAdvice) {
    if (advice.error == error) return Make(folder, advice, said);
  }
  return Make(folder, kOther, said);
}

Status DiskError(const std::string& folder, const std::string& said) {
  for (const Advice& advice : kAdvice) {
    if (said.find(strerror(advice.error)) != std::string::npos) return Make(folder, advice, said);
  }
  return Make(folder, kOther, said);
}

Status StoreDamaged(const std::string& folder, std::string_view what) {
  return Internal("STORE_DAMAGED", "the store in " + folder + " is damaged: " + std::string(what) +
                                       "; restore the folder from a copy, or move it away to begin with none");
}

bool IsDamage(const Status& status) { return status.reason() == "STORE_DAMAGED"; }

Status StoreInUse(const std::string& folder) {
  return FailedPrecondition("STORE_IN_USE",
                            "the store in " + folder +
                                " is used by another millraced, or read by `millrace admin`; stop it, or "
                                "choose another data folder");
}

}  // namespace millrace::store
