#include "store/rocks/rocks_disk.h"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/thread_mutex.h"
#include "store/disk_errors.h"
#include "store/migrate.h"
#include "store/rocks/durable_folder.h"
#include "store/rocks/folder_lock.h"
#include "store/rocks/later_tables.h"
#include "store/rocks/log_check.h"
#include "store/rocks/open_gate.h"
#include "store/rocks/rocks_common.h"
#include "store/rocks/rocks_events.h"
#include "store/rocks/table_check.h"
#include "store/taken_place.h"

namespace millrace::store {

namespace {

constexpr const char* kFormatKey = "format";

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

rocksdb::DBOptions DatabaseOptions(const RocksDiskOptions& ours) {
  rocksdb::DBOptions options;
  options.create_missing_column_families = true;
  // CheckLogs has cut off what was torn, and refused what is damaged; this is the strictest mode that goes with the end
  // of a log that is still written.
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
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));  // A job is on one of several shelves.
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

class RocksCursor final : public Disk::Cursor {
 public:
  explicit RocksCursor(rocksdb::Iterator* iterator) : iterator_(iterator) {}
  void Seek(std::string_view key) override { iterator_->Seek({key.data(), key.size()}); }
  void SeekBack(std::string_view key) override { iterator_->SeekForPrev({key.data(), key.size()}); }
  void Next() override { iterator_->Next(); }
  void Previous() override { iterator_->Prev(); }
  bool Valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return iterator_->key().ToStringView(); }
  std::string_view value() const override { return iterator_->value().ToStringView(); }
  rocksdb::Status status() const { return iterator_->status(); }

 private:
  const std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksDisk final : public Disk {
 public:
  RocksDisk(std::string folder, const RocksDiskOptions& options)
      : folder_(std::move(folder)), options_(options), cache_(rocksdb::NewLRUCache(size_t{8} << 20)) {}
  ~RocksDisk() override { Close(); }

  // The first time it may make the store.
  Status Open(bool may_make) {
    if (may_make) {
      MR_RETURN_IF_ERROR(CheckNotInStore(folder_));
      MR_RETURN_IF_ERROR(MakeDurableFolder(folder_));
      MR_RETURN_IF_ERROR(lock_.Take(folder_));
    }
    looked_over_ = false;
    MR_RETURN_IF_ERROR(lock_.CheckSame(folder_));
    MR_RETURN_IF_ERROR(CheckUnobstructed(folder_));
    const Status tables = CheckTables(folder_, kTableFormat);
    // Before anything in it is written. Later on nobody but us can have changed it.
    if (may_make) MR_RETURN_IF_ERROR(RefuseLater(tables));
    MR_RETURN_IF_ERROR(CheckLogs(folder_));
    MR_RETURN_IF_ERROR(tables);
    looked_over_ = true;
    RemoveLeftovers();
    trouble_->Forget();
    rocksdb::DBOptions options = DatabaseOptions(options_);
    options.create_if_missing = may_make;
    options.listeners = {trouble_, table_news_};
    rocksdb::DB* db = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open(options, folder_, Descriptors(options), &shelves_, &db);
    // The folder is there, and a file that the store names is not.
    if (opened.IsPathNotFound()) return StoreDamaged(folder_, opened.ToString());
    MR_RETURN_IF_ERROR(FromRocks(opened, folder_));
    db_.reset(db);
    all_synced_ = true;  // What the logs had is in tables now.
    MR_RETURN_IF_ERROR(CheckFormat());
    // Whatever else this life writes: these tables, and no others, go with the log that begins here.
    MR_RETURN_IF_ERROR(LookAtManifest());
    MR_RETURN_IF_ERROR(Write({}));
    return Sync();
  }

  Status Write(std::span<const Change> changes) override {
    MR_RETURN_IF_ERROR(Check());
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    batch_.Clear();
    MR_RETURN_IF_ERROR(AddMarks());
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
    ThreadGuard guard(checkpoint_mutex_);
    Close();
    Status status = Open(/*may_make=*/false);
    if (!status.ok() && !db_ && looked_over_) OpenToRead();
    gate_.StayClosed();
    return status;
  }

  uint64_t Position() const override { return db_ ? db_->GetLatestSequenceNumber() : 0; }
  const std::string& Name() const override { return folder_; }

  void OnTrouble(std::function<void()> call) override { trouble_->Call(std::move(call)); }

  // Without a flush: one that failed would stop all writing. What is in memory only is in the log, which is copied.
  Status Checkpoint(const std::string& folder) override {
    ThreadGuard guard(checkpoint_mutex_);
    if (!db_ || only_to_read_) return NotOpen();
    rocksdb::Checkpoint* made = nullptr;
    MR_RETURN_IF_ERROR(FromRocks(rocksdb::Checkpoint::Create(db_.get(), &made), folder_));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    const rocksdb::Status status = checkpoint->CreateCheckpoint(folder, /*log_size_for_flush=*/UINT64_MAX);
    return FromRocks(status, status.IsCorruption() ? folder_ : folder);
  }

  Result<std::vector<std::optional<std::string>>> Read(std::span<const Place> places) override {
    const Inside inside(gate_);
    if (!inside) return NotOpen();
    std::vector<rocksdb::ColumnFamilyHandle*> shelves;
    std::vector<rocksdb::Slice> keys;
    for (const Place& place : places) {
      shelves.push_back(shelves_[static_cast<size_t>(place.shelf)]);
      keys.emplace_back(place.key.data(), place.key.size());
    }
    std::vector<std::string> values;
    const std::vector<rocksdb::Status> statuses = db_->MultiGet(rocksdb::ReadOptions(), shelves, keys, &values);
    std::vector<std::optional<std::string>> found(places.size());
    for (size_t i = 0; i < places.size(); ++i) {
      if (statuses[i].ok()) {
        found[i] = std::move(values[i]);
      } else if (!statuses[i].IsNotFound()) {
        return FromRocks(statuses[i], folder_);
      }
    }
    return found;
  }

  Status Scan(std::span<const Shelf> shelves, const std::function<Status(std::span<Cursor* const>)>& read) override {
    const Inside inside(gate_);
    if (!inside) return NotOpen();
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    for (Shelf shelf : shelves) handles.push_back(shelves_[static_cast<size_t>(shelf)]);
    std::vector<rocksdb::Iterator*> iterators;
    MR_RETURN_IF_ERROR(FromRocks(db_->NewIterators(options, handles, &iterators), folder_));
    std::vector<std::unique_ptr<RocksCursor>> cursors;
    std::vector<Cursor*> pointers;
    for (rocksdb::Iterator* iterator : iterators) {
      pointers.push_back(cursors.emplace_back(std::make_unique<RocksCursor>(iterator)).get());
    }
    const Status status = read(pointers);
    // A cursor that failed is at no place, as at the end: its own word comes first.
    for (const auto& cursor : cursors) MR_RETURN_IF_ERROR(FromRocks(cursor->status(), folder_));
    return status;
  }

  uint64_t Bytes() override {
    const Inside inside(gate_);
    if (!inside) return 0;
    uint64_t bytes = 0;
    for (rocksdb::ColumnFamilyHandle* shelf : shelves_) {
      uint64_t tables = 0;
      if (db_->GetIntProperty(shelf, rocksdb::DB::Properties::kTotalSstFilesSize, &tables)) bytes += tables;
    }
    return bytes;
  }

  void NoMoreReclaim() override {
    const Inside inside(gate_);
    if (inside) db_->DisableManualCompaction();
  }

  Status Reclaim() override {
    const Inside inside(gate_);
    if (!inside || only_to_read_) return NotOpen();
    // The log goes when nothing needs it any more, on whichever shelf.
    MR_RETURN_IF_ERROR(FromRocks(db_->Flush(rocksdb::FlushOptions(), shelves_), folder_));
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    for (rocksdb::ColumnFamilyHandle* shelf : shelves_) {
      rocksdb::Status status = db_->CompactRange(options, shelf, nullptr, nullptr);
      if (status.IsIncomplete()) return NotOpen();  // Close has stopped it.
      MR_RETURN_IF_ERROR(FromRocks(status, folder_));
    }
    return OkStatus();
  }

 private:
  Status Check() const { return db_ && !only_to_read_ ? FromRocks(trouble_->Get(), folder_) : NotOpen(); }
  Status NotOpen() const { return Unavailable("STORE_FAILED", "the store in " + folder_ + " is not open"); }

  // What CheckLogs goes by.
  Status AddMarks() {
    if (table_news_->any()) {
      // A checkpoint has the manifest as of its beginning, with batches that are written meanwhile. They must not say
      // more of it.
      if (checkpoint_mutex_.try_lock()) {
        const Status looked = LookAtManifest();
        checkpoint_mutex_.unlock();
        MR_RETURN_IF_ERROR(looked);
      }
    }
    rocksdb::Status status;
    if (all_synced_) status = batch_.PutLogData(kSyncedMark);
    if (status.ok() && options_.syncs_each) status = batch_.PutLogData(kEachMark);
    if (status.ok()) status = batch_.PutLogData(manifest_said_);
    return FromRocks(status, folder_);
  }

  // RocksDB syncs it before it counts what it has written there.
  Status LookAtManifest() {
    table_news_->Forget();
    std::vector<std::string> files;
    ManifestMark mark;
    MR_RETURN_IF_ERROR(FromRocks(db_->GetLiveFiles(files, &mark.bytes, /*flush_memtable=*/false), folder_));
    constexpr std::string_view kPrefix = "/MANIFEST-";
    for (const std::string& file : files) {
      if (file.starts_with(kPrefix)) mark.number = std::stoull(file.substr(kPrefix.size()));
    }
    manifest_said_ = ToLogData(mark);
    return OkStatus();
  }

  // What a later version wrote is neither damage nor ours to mend: it is left as it is. So the format is read first,
  // without writing a byte. Only its own shelf is opened: whatever a later version has made of the others does not
  // matter then, and it costs little beside what comes after. What cannot be read in this way, or is no store yet, is
  // left to the checks that follow. `tables`: what CheckTables says; RocksDB is not to meet a table that is damaged.
  Status RefuseLater(const Status& tables) {
    if (!tables.ok()) {
      if (!IsDamage(tables) || !HasLaterTables(folder_)) return OkStatus();
      return FailedPrecondition("STORE_TOO_NEW", "the store in " + folder_ +
                                                     " has tables of a later format than this version reads; "
                                                     "run a newer daemon");
    }
    rocksdb::DBOptions options = DatabaseOptions(options_);
    // Up to where a log is torn. The other modes fail there; or, kSkipAnyCorruptedRecords, may go round for ever at a
    // bad byte.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.info_log->SetInfoLogLevel(rocksdb::InfoLogLevel::FATAL_LEVEL);  // The checks that follow have better words.
    const std::vector<rocksdb::ColumnFamilyDescriptor> only_meta = {
        {rocksdb::kDefaultColumnFamilyName, ShelfOptions(options_, cache_)}};
    std::vector<rocksdb::ColumnFamilyHandle*> meta;
    rocksdb::DB* opened = nullptr;
    if (!rocksdb::DB::OpenForReadOnly(options, folder_, only_meta, &meta, &opened).ok()) return OkStatus();
    const std::unique_ptr<rocksdb::DB> db(opened);
    const Result<int> format = ReadFormat(*db, meta[0], folder_);
    db->DestroyColumnFamilyHandle(meta[0]);
    return format.status().reason() == "STORE_TOO_NEW" ? format.status() : OkStatus();
  }

  // Shelves of a later version have to be opened as well; they are left alone.
  std::vector<rocksdb::ColumnFamilyDescriptor> Descriptors(const rocksdb::DBOptions& options) const {
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
    return descriptors;
  }

  // A disk that takes no writes, for it is full, say, may well be read: jobs that have ended are nowhere else.
  void OpenToRead() {
    const rocksdb::DBOptions options = DatabaseOptions(options_);
    rocksdb::DB* db = nullptr;
    if (!rocksdb::DB::OpenForReadOnly(options, folder_, Descriptors(options), &shelves_, &db).ok()) return;
    db_.reset(db);
    only_to_read_ = true;
    gate_.Open();
  }

  // What attempts to open it left behind for lack of room. RocksDB makes new files before it removes the old ones: with
  // each attempt it would need more room than with the one before.
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
    Result<int> found = ReadFormat(*db_, shelves_[kShelves], folder_);
    if (!found.ok()) return found.status();
    gate_.Open();
    if (*found == 0) return WriteFormat(kFormat);
    for (int format = *found; format < kFormat; ++format) {
      LogInfo("the store in %s has format %d and is brought to format %d", folder_.c_str(), format, format + 1);
      MR_RETURN_IF_ERROR(Migrate(*this, format));
      MR_RETURN_IF_ERROR(WriteFormat(format + 1));
    }
    return OkStatus();
  }

  Status WriteFormat(int format) {
    rocksdb::WriteOptions options;
    options.sync = true;
    return FromRocks(db_->Put(options, shelves_[kShelves], kFormatKey, std::to_string(format)), folder_);
  }

  void Close() {
    if (db_) db_->DisableManualCompaction();  // Or Reclaim would be waited for.
    gate_.Close();
    for (rocksdb::ColumnFamilyHandle* shelf : shelves_) db_->DestroyColumnFamilyHandle(shelf);
    shelves_.clear();
    db_.reset();
    only_to_read_ = false;
  }

  const std::string folder_;
  const RocksDiskOptions options_;
  FolderLock lock_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  ThreadMutex checkpoint_mutex_;  // db_ is not closed under a checkpoint. Only those of the other calls change it.
  const std::shared_ptr<Trouble> trouble_ = std::make_shared<Trouble>();
  const std::shared_ptr<TableNews> table_news_ = std::make_shared<TableNews>();
  std::unique_ptr<rocksdb::DB> db_;
  bool looked_over_ = false;  // Nothing damaged was found.
  bool only_to_read_ = false;
  std::vector<rocksdb::ColumnFamilyHandle*> shelves_;  // By Shelf; then the one of the format, then unknown ones.
  rocksdb::WriteBatch batch_;
  bool all_synced_ = false;    // Everything that was written.
  std::string manifest_said_;  // A ManifestMark.
  OpenGate gate_;
};

}  // namespace

Result<std::unique_ptr<Disk>> OpenRocksDisk(const std::string& folder, const RocksDiskOptions& options) {
  auto disk = std::make_unique<RocksDisk>(folder, options);
  if (Status status = disk->Open(/*may_make=*/true); !status.ok()) return status;
  return std::unique_ptr<Disk>(std::move(disk));
}

}  // namespace millrace::store
