#include "store/paged_scan.h"

#include <string_view>

namespace millrace::store {

Status PagedScan::ReadPage(const Read& read) {
  std::string next = from_;
  bool at_end = false;
  MR_RETURN_IF_ERROR(disk_.Scan(shelves_, [&](std::span<Disk::Cursor* const> cursors) -> Status {
    Disk::Cursor* const at = cursors[0];
    size_t keys = 0, bytes = 0;
    for (at->Seek(from_); at->Valid() && keys < limits_.keys && bytes < limits_.bytes; at->Next(), ++keys) {
      const Result<size_t> taken = read(cursors);
      if (!taken.ok()) return taken.status();
      bytes += *taken;
      next = at->key();
      next += '\0';  // The least key above.
    }
    at_end = !at->Valid();
    return OkStatus();
  }));
  from_ = std::move(next);
  at_end_ = at_end;
  return OkStatus();
}

}  // namespace millrace::store
