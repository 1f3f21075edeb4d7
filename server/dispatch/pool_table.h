// PoolTable: the pools by name. They only become more: one that is not configured any more is MISSING and stays, since
// jobs, workers, events and waiting calls point to it.
//   Threads   Find and All from any thread, without a lock: they see the pools of one moment. Add: before others may
//             call those. AddLater: at any time, one call at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/published.h"

namespace millrace::dispatch {

class Pool;

class PoolTable {
 public:
  PoolTable();
  ~PoolTable();

  struct Row {
    std::string name;
    Pool* pool;
  };
  const std::vector<Row>& All() const { return rows_.Get(); }  // In the order of their names.
  Pool* Find(std::string_view name) const;                     // nullptr: there is none of that name.

  bool Add(std::unique_ptr<Pool> pool);  // False: the name is taken.
  // Their names are free.
  void AddLater(std::vector<std::unique_ptr<Pool>> pools);

 private:
  std::vector<std::unique_ptr<Pool>> pools_;
  Published<std::vector<Row>> rows_;
};

}  // namespace millrace::dispatch
