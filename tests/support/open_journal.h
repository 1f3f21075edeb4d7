// A journal on a RocksDB folder, as store/store.h opens it for a daemon.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"

namespace millrace::test {

inline Result<std::unique_ptr<store::DiskJournal>> OpenJournal(const std::string& folder,
                                                               store::DiskJournalOptions options = {}) {
  Result<std::unique_ptr<store::Disk>> disk =
      store::OpenRocksDisk(folder, {.syncs_each = options.durability == Durability::kFsync});
  if (!disk.ok()) return disk.status();
  return std::make_unique<store::DiskJournal>(*std::move(disk), options);
}

}  // namespace millrace::test
