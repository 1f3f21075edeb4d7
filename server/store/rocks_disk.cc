#include "store/rocks_disk.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "store/disk_errors.h"
#include "store/durable_folder.h"
#include "store/folder_lock.h"
#include "store/log_check.h"
#include "store/record.h"
#include "store/rocks_common.h"
#include "store/table_check.h"

namespace millrace::store {

const std::array<const char*, kShelves> kShelfNames = {"spec", "live", "finished", "requests"};

namespace {

constexpr const char* kFormatKey = "format";
constexpr uint32_t kTableFormat = 5;
// What one step of reading holds in memory at most, but for one job more.
constexpr size_t kReadBytes = size_t{4} << 20;
constexpr size_t kReadJobs = 1000;

}  // namespace

Status FromRocks(const rocksdb::Status& status, const std::string& folder) {
  if (status.ok()) return OkStatus();
  const std::string said = status.ToString();
  if (status.IsCorruption()) return StoreDamaged(folder, said);
  if (said.find("lock hold by") != std::string::npos || said.find("While lock file") != std::string::npos) {
    return StoreInUse(folder);
  }
  return DiskError(folder, said);
}

namespace {

// RocksDB's words go into our log. A LOG file of its own stands on the disk that may be full, and 7.8 aborts the process when it
// writes to one after a write to it has failed.
class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char text[1000];
    vsnprintf(text, sizeof(text), format, arguments);
    if (strstr(text, "File Deletions ") != nullptr) return;  // Two of them in each checkpoint, and nothing is wrong.
    LogWarning("rocksdb: %s", text);
  }
  void LogHeader(const char*, va_list) override {}  // All options, at each start.
};

// What RocksDB found wrong in the background, while it made tables of its logs. It takes no writes any more then, or soon; some it
// would mend by itself, at its own time and with submits waiting for it. So it may not: we close it and open it anew.
class Trouble final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    std::lock_guard guard(lock_);
    if (status_.ok()) status_ = *status;
    const bool ours =  // The write that met it tells its caller.
        reason == rocksdb::BackgroundErrorReason::kWriteCallback || reason == rocksdb::BackgroundErrorReason::kMemTable;
    if (!ours && call_) call_();
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* by_itself) override {
    *by_itself = false;
  }

  rocksdb::Status Get() {
    std::lock_guard guard(lock_);
    return status_;
  }
  void Forget() {
    std::lock_guard guard(lock_);
    status_ = rocksdb::Status();
  }
  void Call(std::function<void()> call) {
    std::lock_guard guard(lock_);
    call_ = std::move(call);
  }

 private:
  std::mutex lock_;  // Of plain threads only.
  rocksdb::Status status_;
  std::function<void()> call_;
};

}  // namespace

rocksdb::DBOptions DatabaseOptions(const RocksDiskOptions& ours) {
  rocksdb::DBOptions options;
  options.create_missing_column_families = true;
  // CheckLogs has cut off what was torn, and refused what is damaged; this is the strictest mode that goes with the end of a log that
  // is still written.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // A shelf that is seldom written must not keep the log of the busy ones.
  options.max_total_wal_size = 4 * ours.buffer_bytes;
  options.db_write_buffer_size = 2 * ours.buffer_bytes;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.bytes_per_sync = uint64_t{1} << 20;  // Instead of one long fsync that group commits would wait behind.
  options.info_log = std::make_shared<RocksLog>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_bgerror_resume_count = 0;  // See Trouble.
  return options;
}

rocksdb::ColumnFamilyOptions ShelfOptions(const RocksDiskOptions& ours, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = ours.buffer_bytes;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;  // Blocks are read at start only.
  table.format_version = kTableFormat;
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Jobs come and go: files that are mostly gravestones are compacted, so that reading does not walk over the dead.
  options.table_properties_collector_factories = {rocksdb::NewCompactOnDeletionCollectorFactory(8192, 4096)};
  return options;
}

Result<int> ReadFormat(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta, const std::string& folder) {
  std::string value;
  rocksdb::Status read = db.Get(rocksdb::ReadOptions(), meta, kFormatKey, &value);
  if (read.IsNotFound()) return 0;
  if (!read.ok()) return FromRocks(read, folder);
  int format = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), format);
  if (error != std::errc() || end != value.data() + value.size() || format < 1) {
    return StoreDamaged(folder, "its format is '" + value + "'");
  }
  if (format <= kFormat) return format;
  return FailedPrecondition("STORE_TOO_NEW", "the store in " + folder + " has format " + std::to_string(format) +
                                                 ", this version reads up to " + std::to_string(kFormat) +
                                                 "; run a newer daemon");
}

namespace {

class RocksReader final : public Disk::JobReader {
 public:
  RocksReader(std::unique_ptr<rocksdb::Iterator> spec, std::unique_ptr<rocksdb::Iterator> live,
              std::unique_ptr<rocksdb::Iterator> finished, std::string folder)
      : spec_(std::move(spec)), live_(std::move(live)), finished_(std::move(finished)), folder_(std::move(folder)) {
    for (rocksdb::Iterator* each : {spec_.get(), live_.get(), finished_.get()}) each->SeekToFirst();
  }

  Result<std::vector<RawJob>> Next() override {
    std::vector<RawJob> jobs;
    size_t bytes = 0;
    // Each job has a spec and one state at least, so the three move on together.
    for (; spec_->Valid() && jobs.size() < kReadJobs && bytes < kReadBytes; spec_->Next()) {
      const rocksdb::Slice key = spec_->key();
      const bool live = live_->Valid() && live_->key() == key;
      const bool finished = finished_->Valid() && finished_->key() == key;
      const std::optional<JobId> id = IdOf(key.ToStringView());
      // An iterator that failed is at no key; its own word comes first.
      MR_RETURN_IF_ERROR(Check());
      if (!id) return Damaged("a key is no job id");
      if (!live && !finished) return Damaged("job " + id->ToString() + " has no state");
      RawJob& job = jobs.emplace_back(RawJob{.id = *id, .spec = spec_->value().ToString()});
      job.state = (live ? live_ : finished_)->value().ToString();
      bytes += job.spec.size() + job.state.size();
      if (live) live_->Next();
      if (finished) finished_->Next();
    }
    MR_RETURN_IF_ERROR(Check());
    if (jobs.empty() && (live_->Valid() || finished_->Valid())) return Damaged("a state belongs to no job");
    return jobs;
  }

 private:
  Status Damaged(const std::string& what) const { return StoreDamaged(folder_, what); }
  Status Check() const {
    for (rocksdb::Iterator* each : {spec_.get(), live_.get(), finished_.get()}) {
      if (!each->status().ok()) return FromRocks(each->status(), folder_);
    }
    return OkStatus();
  }

  std::unique_ptr<rocksdb::Iterator> spec_, live_, finished_;
  const std::string folder_;
};

// Of a store that is not open.
class NoReader final : public Disk::JobReader {
 public:
  explicit NoReader(Status why) : why_(std::move(why)) {}
  Result<std::vector<RawJob>> Next() override { return why_; }

 private:
  const Status why_;
};

class RocksDisk final : public Disk {
 public:
  RocksDisk(std::string folder, const RocksDiskOptions& options)
      : folder_(std::move(folder)), options_(options), cache_(rocksdb::NewLRUCache(size_t{8} << 20)) {}
  ~RocksDisk() override { Close(); }

  // The first time it may make the store.
  Status Open(bool may_make) {
    if (may_make) {
      MR_RETURN_IF_ERROR(MakeDurableFolder(folder_));
      MR_RETURN_IF_ERROR(lock_.Take(folder_));
    }
    MR_RETURN_IF_ERROR(lock_.CheckSame(folder_));
    MR_RETURN_IF_ERROR(CheckLogs(folder_));
    MR_RETURN_IF_ERROR(CheckTables(folder_, kTableFormat));
    RemoveLeftovers();
    trouble_->Forget();
    rocksdb::DBOptions options = DatabaseOptions(options_);
    options.create_if_missing = may_make;
    options.listeners.push_back(trouble_);
    // Shelves of a later version have to be opened as well; they are left alone.
    std::vector<std::string> names;
    std::error_code ignored;
    if (std::filesystem::exists(folder_ + "/CURRENT", ignored) &&
        !rocksdb::DB::ListColumnFamilies(options, folder_, &names).ok()) {
      names.clear();  // Open tells what is wrong.
    }
    std::erase_if(names, [](const std::string& name) {
      return name == rocksdb::kDefaultColumnFamilyName ||
             std::find(kShelfNames.begin(), kShelfNames.end(), name) != kShelfNames.end();
    });
    names.insert(names.begin(), rocksdb::kDefaultColumnFamilyName);
    names.insert(names.begin(), kShelfNames.begin(), kShelfNames.end());
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, ShelfOptions(options_, cache_));
    rocksdb::DB* db = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open(options, folder_, descriptors, &shelves_, &db);
    // The folder is there, and a file that the store names is not.
    if (opened.IsPathNotFound()) return StoreDamaged(folder_, opened.ToString());
    MR_RETURN_IF_ERROR(FromRocks(opened, folder_));
    db_.reset(db);
    all_synced_ = true;  // What the logs had is in tables now.
    return CheckFormat();
  }

  Status Write(std::span<const Change> changes) override {
    MR_RETURN_IF_ERROR(Check());
    batch_.Clear();
    if (all_synced_) {
      if (rocksdb::Status status = batch_.PutLogData(kSyncedMark); !status.ok()) return FromRocks(status, folder_);
    }
    all_synced_ = false;
    for (const Change& change : changes) {
      rocksdb::ColumnFamilyHandle* shelf = shelves_[static_cast<size_t>(change.shelf)];
      rocksdb::Status status = change.kind == Change::Kind::kPut ? batch_.Put(shelf, change.key, change.value)
                                                                 : batch_.Delete(shelf, change.key);
      if (!status.ok()) return FromRocks(status, folder_);
    }
    // Without its fsync: Sync is a call of its own, so that the two can be told apart in errors and in time.
    Status status = FromRocks(db_->Write(rocksdb::WriteOptions(), &batch_), folder_);
    if (batch_.GetDataSize() > (size_t{1} << 20))
      batch_ = rocksdb::WriteBatch();  // Does not keep the largest one for ever.
    return status;
  }

  Status Sync() override {
    MR_RETURN_IF_ERROR(Check());
    Status status = FromRocks(db_->FlushWAL(/*sync=*/true), folder_);
    all_synced_ = status.ok();
    return status;
  }

  // What was in the logs is read again and written to new files, whatever of it had reached the disk.
  Status Reopen() override {
    std::lock_guard guard(checkpoint_mutex_);
    Close();
    return Open(/*may_make=*/false);
  }

  uint64_t Position() const override { return db_ ? db_->GetLatestSequenceNumber() : 0; }
  const std::string& Name() const override { return folder_; }

  void OnTrouble(std::function<void()> call) override { trouble_->Call(std::move(call)); }

  // Without a flush: one that failed would stop all writing. What is in memory only is in the log, which is copied.
  Status Checkpoint(const std::string& folder) override {
    std::lock_guard guard(checkpoint_mutex_);
    if (!db_) return NotOpen();
    rocksdb::Checkpoint* made = nullptr;
    MR_RETURN_IF_ERROR(FromRocks(rocksdb::Checkpoint::Create(db_.get(), &made), folder_));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    const rocksdb::Status status = checkpoint->CreateCheckpoint(folder, /*log_size_for_flush=*/UINT64_MAX);
    return FromRocks(status, status.IsCorruption() ? folder_ : folder);
  }

  std::unique_ptr<JobReader> ReadJobs() override {
    if (!db_) return std::make_unique<NoReader>(NotOpen());
    return std::make_unique<RocksReader>(Iterate(Shelf::kSpec), Iterate(Shelf::kLive), Iterate(Shelf::kFinished),
                                         folder_);
  }

  Result<std::vector<RawRequest>> ReadRequests() override {
    if (!db_) return NotOpen();
    std::vector<RawRequest> requests;
    std::unique_ptr<rocksdb::Iterator> each = Iterate(Shelf::kRequests);
    for (each->SeekToFirst(); each->Valid(); each->Next()) {
      requests.push_back({each->key().ToString(), each->value().ToString()});
    }
    if (!each->status().ok()) return FromRocks(each->status(), folder_);
    return requests;
  }

 private:
  Status Check() const { return db_ ? FromRocks(trouble_->Get(), folder_) : NotOpen(); }
  Status NotOpen() const { return Unavailable("STORE_FAILED", "the store in " + folder_ + " is not open"); }

  std::unique_ptr<rocksdb::Iterator> Iterate(Shelf shelf) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = size_t{1} << 20;
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, shelves_[static_cast<size_t>(shelf)]));
  }

  // What attempts to open it left behind for lack of room. RocksDB makes new files before it removes the old ones: with each attempt it
  // would need more room than with the one before.
  void RemoveLeftovers() {
    std::string manifest;
    std::getline(std::ifstream(folder_ + "/CURRENT"), manifest);
    std::error_code ignored;
    std::vector<std::filesystem::path> leftovers;
    for (std::filesystem::directory_iterator each(folder_, ignored), end; !ignored && each != end;
         each.increment(ignored)) {
      const std::string name = each->path().filename();
      const bool old_manifest = name.starts_with("MANIFEST-") && name != manifest && !manifest.empty();
      if (old_manifest || each->path().extension() == ".dbtmp") leftovers.push_back(each->path());
    }
    for (const auto& file : leftovers) std::filesystem::remove(file, ignored);
  }

  // A folder without a format was made just now: nothing is written before it.
  Status CheckFormat() {
    rocksdb::ColumnFamilyHandle* meta = shelves_[kShelves];
    Result<int> format = ReadFormat(*db_, meta, folder_);
    // An older one is migrated here, one step at a time; there is none yet.
    if (!format.ok() || *format > 0) return format.status();
    rocksdb::WriteOptions options;
    options.sync = true;
    return FromRocks(db_->Put(options, meta, kFormatKey, std::to_string(kFormat)), folder_);
  }

  void Close() {
    for (rocksdb::ColumnFamilyHandle* shelf : shelves_) db_->DestroyColumnFamilyHandle(shelf);
    shelves_.clear();
    db_.reset();
  }

  const std::string folder_;
  const RocksDiskOptions options_;
  FolderLock lock_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  std::mutex checkpoint_mutex_;  // db_ is not closed under a checkpoint. Only those of the other calls change it.
  const std::shared_ptr<Trouble> trouble_ = std::make_shared<Trouble>();
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> shelves_;  // By Shelf; then the one of the format, then unknown ones.
  rocksdb::WriteBatch batch_;
  bool all_synced_ = false;  // Everything that was written.
};

}  // namespace

Result<std::unique_ptr<Disk>> OpenRocksDisk(const std::string& folder, const RocksDiskOptions& options) {
  auto disk = std::make_unique<RocksDisk>(folder, options);
  if (Status status = disk->Open(/*may_make=*/true); !status.ok()) return status;
  return std::unique_ptr<Disk>(std::move(disk));
}

}  // namespace millrace::store
