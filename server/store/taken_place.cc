#include "store/taken_place.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

namespace millrace::store {

namespace {

namespace fs = std::filesystem;

Status Unusable(const std::string& place, const std::string& why) {
  return FailedPrecondition("FOLDER_UNUSABLE", place + " cannot be used: " + why + "; choose another folder")
      .Field("folder");
}

Status BadFolder(const std::string& given, const std::string& why) {
  return InvalidArgument("BAD_FOLDER",
                         "folder '" + given + "' " + why + "; say for instance /var/backups/millrace-monday")
      .Field("folder");
}

struct FileId {
  dev_t device;
  ino_t number;
  bool operator==(const FileId&) const = default;
};
std::optional<FileId> IdOf(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileId{found.st_dev, found.st_ino};
}

// Is `folder`, or one that it lies in, this one? Goes up as the system does, by "..": through mounts, whatever the
// names say.
bool LiesIn(std::string folder, const FileId& wanted) {
  // Deeper than any path may be long.
  constexpr int kDepthMax = 4096;
  std::optional<FileId> last;
  for (int i = 0; i < kDepthMax; ++i) {
    const std::optional<FileId> id = IdOf(folder);
    if (!id || id == last) return false;  // The root is its own parent.
    if (*id == wanted) return true;
    last = id;
    folder += "/..";
  }
  return false;
}

bool IsNameOfRocksDb(std::string_view name) {
  const auto all_digits = [](std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return isdigit(static_cast<unsigned char>(c)); });
  };
  for (const std::string_view prefix : {"MANIFEST-", "OPTIONS-"}) {
    if (name.starts_with(prefix) && all_digits(name.substr(prefix.size()))) return true;
  }
  for (const std::string_view ending : {".log", ".sst", ".blob", ".dbtmp"}) {
    if (name.ends_with(ending) && all_digits(name.substr(0, name.size() - ending.size()))) return true;
  }
  return name == "CURRENT" || name == "IDENTITY" || name == "LOCK" || name == "LOG";
}

}  // namespace

Result<std::string> ResolvePlace(const std::string& given) {
  if (!given.starts_with('/')) return BadFolder(given, "is not an absolute path on the daemon's machine");
  std::string path = given;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1), parent = path.substr(0, slash + 1);
  if (name.empty() || name == "." || name == "..") return BadFolder(given, "ends without a name of its own");
  const std::unique_ptr<char, decltype(&free)> resolved(realpath(parent.c_str(), nullptr), &free);
  if (!resolved) return Unusable(path, parent + ": " + strerror(errno));
  const std::string folder(resolved.get());
  return folder == "/" ? folder + name : folder + "/" + name;
}

Status CheckOutside(const std::string& place, const std::string& data_dir) {
  const std::optional<FileId> data = IdOf(data_dir);
  if (!data) return OkStatus();
  const std::string parent = fs::path(place).parent_path().string();
  const std::optional<FileId> there = IdOf(place);
  if (there == data || LiesIn(parent, *data)) {
    return Unusable(place, "it lies in the data folder " + data_dir + ", where only millraced may put anything");
  }
  if (there && LiesIn(data_dir, *there)) return Unusable(place, "the data folder " + data_dir + " lies in it");
  return OkStatus();
}

Status CheckNotInStore(const std::string& store) {
  const fs::path parent = fs::path(store).parent_path();
  std::error_code ignored;
  if (!fs::exists(parent / "CURRENT", ignored) || !fs::exists(parent / "IDENTITY", ignored)) return OkStatus();
  return FailedPrecondition("DATA_DIR_UNUSABLE", "the folder " + parent.string() +
                                                     " is itself the store of a data folder; give the folder above it "
                                                     "with --data-dir");
}

Status CheckUnobstructed(const std::string& store) {
  std::error_code error;
  for (fs::directory_iterator each(store, error), end; !error && each != end; each.increment(error)) {
    std::error_code ignored;
    if (each->is_regular_file(ignored) || !IsNameOfRocksDb(each->path().filename().string())) continue;
    return Unavailable("STORE_FAILED", "the store in " + store + " cannot be used: " + each->path().string() +
                                           " is no file and has the name of one of the store's; it does not belong "
                                           "there, move it elsewhere");
  }
  return OkStatus();  // What cannot be looked at is told by whoever opens it.
}

}  // namespace millrace::store
