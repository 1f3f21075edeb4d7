// Store: where the jobs of a daemon are remembered. OpenStore is the one door to it: whatever lies behind is used,
// watched, backed up and stopped in the same way.
//
//   Engines   kMemory forgets with the process. kRocks keeps a RocksDB database in the data folder. Another engine
//             answers store/disk.h and becomes a value of Engine.
//   Order     OpenStore, the dispatcher on journal(), the dispatcher's end, Stop.
//   Threads   OpenStore, Stop and the destructor: one plain thread. The rest: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "dispatch/backup.h"
#include "dispatch/journal.h"
#include "dispatch/pool_memory.h"
#include "store/disk_journal.h"

namespace millrace::store {

enum class Engine : uint8_t { kMemory, kRocks };

struct StoreOptions {
  Engine engine = Engine::kMemory;
  // Made if it is not there. kMemory puts nothing into it; empty: none.
  std::string data_dir;
  DiskJournalOptions journal;              // kRocks
  size_t buffer_bytes = size_t{32} << 20;  // kRocks: as in rocks/rocks_disk.h.
};

class Store {
 public:
  virtual ~Store() = default;  // Stop

  virtual dispatch::Journal& journal() = 0;
  // "memory", "rocksdb (ack fsync)": for people.
  virtual std::string Name() const = 0;
  // The next daemon on the same data folder finds the jobs of this one.
  virtual bool OutlivesProcess() const = 0;

  // nullptr: there is nothing that could be copied.
  virtual dispatch::Backups* backups() = 0;
  // nullptr: what operators say of pools is forgotten with the process.
  virtual dispatch::PoolMemory* pool_memory() = 0;

  // Not OK: the store fails, and new jobs are refused with this.
  virtual Status Health() const = 0;
  // As DiskJournal::WatchHealth: calls it at once, and whenever the store begins to fail or works again. After a call
  // with an empty function nobody is called any more.
  virtual void WatchHealth(std::function<void(const Status&)> watcher) = 0;

  // Waits for a backup under way, writes what was noted, answers whoever waits for a commit. After the dispatcher's
  // Stop and before its end. Repeatable.
  virtual void Stop() = 0;
};

// FAILED_PRECONDITION DATA_DIR_UNUSABLE: choose another data folder, or make this one writable. Otherwise the errors of
// OpenRocksDisk.
Result<std::unique_ptr<Store>> OpenStore(const StoreOptions& options);

}  // namespace millrace::store
