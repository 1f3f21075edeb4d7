#include "store/tools/store_reader.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "store/rocks/folder_lock.h"
#include "store/rocks/log_check.h"
#include "store/rocks/rocks_common.h"
#include "store/rocks/rocks_disk.h"
#include "store/rocks/table_check.h"

namespace millrace::store {

namespace {

namespace fs = std::filesystem;

// Its words come as statuses as well, and a program that only looks has no log.
class NoLog final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// The store as it is once a daemon has cut off what is torn (log_check.h): RocksDB by itself calls some of that damage,
// and steps over the rest. By file name.
class WithoutTorn final : public rocksdb::FileSystemWrapper {
 public:
  explicit WithoutTorn(std::map<std::string, uint64_t> good_bytes)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), good_bytes_(std::move(good_bytes)) {}
  const char* Name() const override { return "WithoutTorn"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
    const auto torn = good_bytes_.find(fs::path(path).filename());
    if (status.ok() && torn != good_bytes_.end()) *file = std::make_unique<File>(std::move(*file), torn->second);
    return status;
  }

 private:
  class File final : public rocksdb::FSSequentialFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSSequentialFile> file, uint64_t bytes)
        : FSSequentialFileOwnerWrapper(std::move(file)), left_(bytes) {}
    rocksdb::IOStatus Read(size_t bytes, const rocksdb::IOOptions& options, rocksdb::Slice* result, char* scratch,
                           rocksdb::IODebugContext* debug) override {
      rocksdb::IOStatus status =
          FSSequentialFileOwnerWrapper::Read(std::min<uint64_t>(bytes, left_), options, result, scratch, debug);
      if (status.ok()) left_ -= result->size();
      return status;
    }
    rocksdb::IOStatus Skip(uint64_t bytes) override {
      bytes = std::min(bytes, left_);
      left_ -= bytes;
      return FSSequentialFileOwnerWrapper::Skip(bytes);
    }

   private:
    uint64_t left_;
  };

  const std::map<std::string, uint64_t> good_bytes_;
};

Status CannotRead(const std::string& path, int error) {
  const bool denied = error == EACCES || error == EPERM;
  return Status(denied ? StatusCode::kPermissionDenied : StatusCode::kFailedPrecondition, "STORE_UNREADABLE",
                path + " cannot be read: " + strerror(error) + "; run this as the user of the daemon");
}

// A file that is not there is damage here: nobody removes any while we read.
Status FromRead(const rocksdb::Status& status, const std::string& folder) {
  if (status.IsPathNotFound()) return FromRocks(rocksdb::Status::Corruption(status.ToString()), folder);
  if (status.IsIOError() && status.ToString().find(strerror(EACCES)) != std::string::npos) {
    return CannotRead("a file in " + folder, EACCES);
  }
  return FromRocks(status, folder);
}

// Another process has the folder: a daemon, which RocksDB's own lock names while the store is open in it.
Status UsedByDaemon(const std::string& folder) {
  const int fd = open((folder + "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  struct flock held {};
  held.l_type = F_RDLCK;
  held.l_whence = SEEK_SET;
  const bool known = fd >= 0 && fcntl(fd, F_OFD_GETLK, &held) == 0 && held.l_type == F_WRLCK && held.l_pid > 0;
  if (fd >= 0) close(fd);
  return FailedPrecondition("STORE_IN_USE", "the store in " + folder + " is used by a running millraced" +
                                                (known ? " (process " + std::to_string(held.l_pid) + ")" : "") +
                                                "; stop it first, or make a copy with `millrace admin backup DIR` "
                                                "and look at that");
}

bool HoldsStore(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "CURRENT", ignored)) return true;
  // A store whose CURRENT is gone is damaged, and worth saying so.
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    if (file.path().filename().string().starts_with("MANIFEST-")) return true;
  }
  return false;
}

Result<std::string> FindStore(const std::string& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) {
    for (const fs::path& path : {fs::path(folder) / "store", fs::path(folder)}) {
      if (!fs::exists(path, error)) continue;
      if (access(path.c_str(), R_OK | X_OK) != 0) return CannotRead(path.string(), errno);
      if (HoldsStore(path)) return path.string();
    }
  } else if (error && error != std::errc::no_such_file_or_directory) {
    return CannotRead(folder, error.value());
  }
  return NotFound("STORE_NOT_FOUND",
                  "there is no store in " + folder + "; give the folder that millraced has as --data-dir, or a backup");
}

class ReaderCursor final : public StoreReader::Cursor {
 public:
  // No `at`: the store has no such shelf.
  ReaderCursor(std::unique_ptr<rocksdb::Iterator> at, const std::string& folder) : at_(std::move(at)), folder_(folder) {
    if (at_) at_->SeekToFirst();
  }
  bool AtKey() const override { return at_ && at_->Valid(); }
  std::string_view key() const override { return at_->key().ToStringView(); }
  std::string_view value() const override { return at_->value().ToStringView(); }
  void Next() override { at_->Next(); }
  Status status() const override { return at_ ? FromRead(at_->status(), folder_) : OkStatus(); }

 private:
  const std::unique_ptr<rocksdb::Iterator> at_;
  const std::string& folder_;
};

class RocksStoreReader final : public StoreReader {
 public:
  explicit RocksStoreReader(std::string folder)
      : folder_(std::move(folder)), cache_(rocksdb::NewLRUCache(size_t{8} << 20)) {}
  ~RocksStoreReader() override {
    for (rocksdb::ColumnFamilyHandle* shelf : all_) db_->DestroyColumnFamilyHandle(shelf);
  }

  Status Open() {
    const Status taken = lock_.Take(folder_, FolderLock::For::kReading);
    if (!taken.ok()) return taken.reason() == "STORE_IN_USE" ? UsedByDaemon(folder_) : taken;
    rocksdb::DBOptions options = DatabaseOptions();
    options.create_if_missing = options.create_missing_column_families = false;
    options.info_log = std::make_shared<NoLog>();
    MR_RETURN_IF_ERROR(LookFirst(&options));
    std::vector<std::string> names;
    MR_RETURN_IF_ERROR(FromRead(rocksdb::DB::ListColumnFamilies(options, folder_, &names), folder_));
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, ShelfOptions({}, cache_));
    rocksdb::DB* db = nullptr;
    MR_RETURN_IF_ERROR(FromRead(rocksdb::DB::OpenForReadOnly(options, folder_, descriptors, &all_, &db), folder_));
    db_.reset(db);
    for (rocksdb::ColumnFamilyHandle* shelf : all_) {
      const auto known = std::find(kShelfNames.begin(), kShelfNames.end(), shelf->GetName());
      if (known != kShelfNames.end()) shelves_[static_cast<size_t>(known - kShelfNames.begin())] = shelf;
    }
    Result<int> format = ReadFormat(*db_, db_->DefaultColumnFamily(), folder_);
    if (!format.ok()) return format.status();
    if (*format == 0) {
      return NotFound("STORE_NOT_FOUND",
                      "the store in " + folder_ + " was not finished being made; start millraced on it once");
    }
    format_ = *format;
    return OkStatus();
  }

  const std::string& folder() const override { return folder_; }
  int format() const override { return format_; }

  std::unique_ptr<Cursor> Read(Shelf shelf) const override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = size_t{1} << 20;
    rocksdb::ColumnFamilyHandle* handle = shelves_[static_cast<size_t>(shelf)];
    std::unique_ptr<rocksdb::Iterator> at(handle != nullptr ? db_->NewIterator(options, handle) : nullptr);
    return std::make_unique<ReaderCursor>(std::move(at), folder_);
  }

  Result<std::optional<std::string>> Get(Shelf shelf, std::string_view key) const override {
    rocksdb::ColumnFamilyHandle* handle = shelves_[static_cast<size_t>(shelf)];
    if (handle == nullptr) return std::optional<std::string>();
    std::string value;
    const rocksdb::Status read = db_->Get(rocksdb::ReadOptions(), handle, key, &value);
    if (read.IsNotFound()) return std::optional<std::string>();
    if (!read.ok()) return FromRead(read, folder_);
    return std::optional<std::string>(std::move(value));
  }

  std::vector<ShelfUse> Shelves() const override {
    std::vector<ShelfUse> shelves;
    for (rocksdb::ColumnFamilyHandle* shelf : all_) {
      if (shelf->GetName() == rocksdb::kDefaultColumnFamilyName) continue;
      ShelfUse& use = shelves.emplace_back(ShelfUse{.name = shelf->GetName()});
      rocksdb::ColumnFamilyMetaData tables;
      db_->GetColumnFamilyMetaData(shelf, &tables);
      use.files = tables.file_count + tables.blob_file_count;
      use.bytes = tables.size + tables.blob_file_size;
      for (const std::string& property :
           {rocksdb::DB::Properties::kNumEntriesActiveMemTable, rocksdb::DB::Properties::kNumEntriesImmMemTables}) {
        uint64_t entries = 0;
        if (db_->GetIntProperty(shelf, property, &entries)) use.logged += entries;
      }
    }
    return shelves;
  }

  DiskUse Use() const override {
    DiskUse use;
    std::error_code ignored;
    for (const auto& file : fs::directory_iterator(folder_, ignored)) {
      const uint64_t bytes = file.is_regular_file(ignored) ? file.file_size(ignored) : 0;
      ++use.files;
      use.bytes += bytes;
      if (file.path().extension() == ".log") use.log_bytes += bytes;
    }
    return use;
  }

  Status VerifyFiles() const override { return FromRead(db_->VerifyChecksum(rocksdb::ReadOptions()), folder_); }

 private:
  // As a daemon does, and nothing is cut off.
  Status LookFirst(rocksdb::DBOptions* options) {
    const Result<std::vector<TornFile>> torn = FindTorn(folder_);
    if (!torn.ok()) return torn.status();
    MR_RETURN_IF_ERROR(CheckTables(folder_, kTableFormat));
    if (torn->empty()) return OkStatus();
    std::map<std::string, uint64_t> good_bytes;
    for (const TornFile& file : *torn) good_bytes[fs::path(file.path).filename()] = file.good_bytes;
    env_ = rocksdb::NewCompositeEnv(std::make_shared<WithoutTorn>(std::move(good_bytes)));
    options->env = env_.get();
    return OkStatus();
  }

  const std::string folder_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  FolderLock lock_;
  std::unique_ptr<rocksdb::Env> env_;  // nullptr: the default.
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> all_;
  std::array<rocksdb::ColumnFamilyHandle*, kShelves> shelves_{};  // nullptr: not there.
  int format_ = 0;
};

}  // namespace

Result<std::unique_ptr<StoreReader>> StoreReader::Open(const std::string& folder) {
  Result<std::string> store = FindStore(folder);
  if (!store.ok()) return store.status();
  auto reader = std::make_unique<RocksStoreReader>(*std::move(store));
  if (Status status = reader->Open(); !status.ok()) return status;
  return std::unique_ptr<StoreReader>(std::move(reader));
}

}  // namespace millrace::store
