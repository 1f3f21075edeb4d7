#include "dispatch/pool_table.h"

#include <algorithm>
#include <utility>

#include "dispatch/pool.h"

namespace millrace::dispatch {

namespace {

template <typename Rows>
auto PlaceOf(Rows& rows, std::string_view name) {
  return std::lower_bound(rows.begin(), rows.end(), name, [](const PoolTable::Row& row, std::string_view wanted) {
    return std::string_view(row.name) < wanted;
  });
}

}  // namespace

PoolTable::PoolTable() = default;
PoolTable::~PoolTable() = default;

Pool* PoolTable::Find(std::string_view name) const {
  const std::vector<Row>& rows = All();
  auto place = PlaceOf(rows, name);
  return place != rows.end() && place->name == name ? place->pool : nullptr;
}

bool PoolTable::Add(std::unique_ptr<Pool> pool) {
  std::vector<Row>& rows = rows_.Unshared();
  auto place = PlaceOf(rows, pool->name());
  if (place != rows.end() && place->name == pool->name()) return false;
  rows.insert(place, {pool->name(), pool.get()});
  pools_.push_back(std::move(pool));
  return true;
}

void PoolTable::AddLater(std::vector<std::unique_ptr<Pool>> pools) {
  if (pools.empty()) return;
  std::vector<Row> rows = All();
  for (std::unique_ptr<Pool>& pool : pools) {
    rows.insert(PlaceOf(rows, pool->name()), {pool->name(), pool.get()});
    pools_.push_back(std::move(pool));
  }
  rows_.Replace(std::move(rows));
}

}  // namespace millrace::dispatch
