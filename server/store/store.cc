#include "store/store.h"

#include <stdlib.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "store/backup.h"
#include "store/memory_journal.h"
#include "store/pool_file.h"
#include "store/rocks/rocks_disk.h"

namespace millrace::store {

namespace {

Status Unusable(const std::string& what) { return FailedPrecondition("DATA_DIR_UNUSABLE", what); }

// Makes the folder and proves that a file can be written in it.
Status PrepareDataDir(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path link = std::filesystem::read_symlink(folder, error);
  if (!error && !std::filesystem::exists(folder, error)) {
    return Unusable("the folder " + folder + " is a link to " + link.string() +
                    ", which is not there; make that folder, mount what holds it, or choose another with --data-dir");
  }
  error.clear();
  std::filesystem::create_directories(folder, error);
  std::string probe = folder + "/.millrace-XXXXXX";
  const int fd = error ? -1 : mkstemp(probe.data());
  if (fd < 0) {
    return Unusable("the folder " + folder + " cannot be written: " + (error ? error.message() : strerror(errno)) +
                    "; make it writable or choose another with --data-dir");
  }
  close(fd);
  unlink(probe.c_str());
  return OkStatus();
}

class MemoryStore final : public Store {
 public:
  dispatch::Journal& journal() override { return journal_; }
  std::string Name() const override { return "memory"; }
  bool OutlivesProcess() const override { return false; }
  dispatch::Backups* backups() override { return nullptr; }
  dispatch::PoolMemory* pool_memory() override { return nullptr; }
  Status Health() const override { return OkStatus(); }
  void WatchHealth(std::function<void(const Status&)> watcher) override {
    if (watcher) watcher(OkStatus());
  }
  void Stop() override {}

 private:
  MemoryJournal journal_;
};

class DiskStore final : public Store {
 public:
  DiskStore(const char* engine, std::unique_ptr<Disk> disk, const StoreOptions& options)
      : engine_(engine),
        journal_(std::move(disk), options.journal),
        backups_(options.data_dir, [this](const std::string& copy) { return journal_.Checkpoint(copy); }),
        pool_file_(options.data_dir + "/pools") {}
  ~DiskStore() override { Stop(); }

  dispatch::Journal& journal() override { return journal_; }
  std::string Name() const override {
    std::string ack = ToString(journal_.durability());
    for (char& c : ack) c = static_cast<char>(tolower(c));
    return std::string(engine_) + " (ack " + ack + ")";
  }
  bool OutlivesProcess() const override { return true; }
  dispatch::Backups* backups() override { return &backups_; }
  dispatch::PoolMemory* pool_memory() override { return &pool_file_; }
  Status Health() const override { return journal_.Health(); }
  void WatchHealth(std::function<void(const Status&)> watcher) override { journal_.WatchHealth(std::move(watcher)); }
  void Stop() override {
    backups_.Stop();
    journal_.Stop();
  }

 private:
  const char* const engine_;
  DiskJournal journal_;
  Backups backups_;
  PoolFile pool_file_;
};

}  // namespace

Result<std::unique_ptr<Store>> OpenStore(const StoreOptions& options) {
  if (!options.data_dir.empty()) MR_RETURN_IF_ERROR(PrepareDataDir(options.data_dir));
  switch (options.engine) {
    case Engine::kMemory:
      return std::unique_ptr<Store>(std::make_unique<MemoryStore>());
    case Engine::kRocks:
      break;
  }
  Result<std::unique_ptr<Disk>> disk = OpenRocksDisk(
      options.data_dir + "/store",
      {.buffer_bytes = options.buffer_bytes, .syncs_each = options.journal.durability == Durability::kFsync});
  if (!disk.ok()) return disk.status();
  return std::unique_ptr<Store>(std::make_unique<DiskStore>("rocksdb", *std::move(disk), options));
}

}  // namespace millrace::store
