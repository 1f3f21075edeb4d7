// PagedScan: reads a whole shelf in steps of bounded memory. Between two pages nothing of the disk is held, so whoever
// gets what was read may take its time, and may write.
//
//   for (PagedScan scan(disk, {Shelf::kEnded}); !scan.AtEnd();) {
//     MR_RETURN_IF_ERROR(scan.ReadPage([&](auto cursors) -> Result<size_t> { ... cursors[0]->key() ... }));
//     ...
//   }
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/disk.h"

namespace millrace::store {

struct PageLimits {
  size_t keys = 4000;
  size_t bytes = size_t{4} << 20;  // By what `read` gives; one key more at most.
};

class PagedScan {
 public:
  // Over the first of `shelves`, from the key `from` on.
  PagedScan(Disk& disk, std::vector<Shelf> shelves, PageLimits limits = {}, std::string from = {})
      : disk_(disk), shelves_(std::move(shelves)), limits_(limits), from_(std::move(from)) {}

  bool AtEnd() const { return at_end_; }
  // No key below it is left to be read. During ReadPage: where the page begins.
  const std::string& from() const { return from_; }

  // Calls `read` at each key of the page, with cursors of one moment. It moves those of the other shelves as it likes:
  // they are at no place when a page begins. It gives how many bytes of memory it took. An error ends the scan.
  using Read = std::function<Result<size_t>(std::span<Disk::Cursor* const> cursors)>;
  Status ReadPage(const Read& read);

 private:
  Disk& disk_;
  const std::vector<Shelf> shelves_;
  const PageLimits limits_;
  std::string from_;
  bool at_end_ = false;
};

}  // namespace millrace::store
