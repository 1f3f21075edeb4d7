#include "dispatch/pool_table.h"

#include <gtest/gtest.h>

#include "dispatch/missing_pool.h"
#include "dispatch/pool.h"

namespace millrace::dispatch {
namespace {

TEST(PoolTable, FindsWhatWasThereFirstAndWhatCameLater) {
  MissingRunner runner;
  auto pool = [&](const char* name) {
    return std::make_unique<Pool>(MissingPoolOptions(name), runner, MonoTime(), /*is_missing=*/true);
  };
  PoolTable table;
  EXPECT_EQ(table.Find("b"), nullptr);
  EXPECT_TRUE(table.Add(pool("b")));
  EXPECT_FALSE(table.Add(pool("b")));
  const std::vector<PoolTable::Row>& before = table.All();
  Pool* b = table.Find("b");
  std::vector<std::unique_ptr<Pool>> later;
  later.push_back(pool("c"));
  later.push_back(pool("a"));
  table.AddLater(std::move(later));
  std::string names;
  for (const auto& [name, each] : table.All()) {
    EXPECT_EQ(each->name(), name);
    names += name;
  }
  EXPECT_EQ(names, "abc");
  EXPECT_EQ(table.Find("b"), b);
  EXPECT_EQ(before.size(), 1u) << "whoever looks at the pools of a moment goes on with them";
}

}  // namespace
}  // namespace millrace::dispatch
