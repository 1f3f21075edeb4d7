#include "runners/kind_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace millrace::runners {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;  // NOLINT: literals are made for this

using Table = KindTable<int>;

Table::Kind Kind(std::string name, int own = 0) { return {.options = {.name = std::move(name)}, .own = own}; }

TEST(KindTable, FindsWhatWasAddedAndRefusesANameTwice) {
  Table table("exec");
  EXPECT_EQ(table.Find("a"), nullptr);
  ASSERT_TRUE(table.Add(Kind("b", 2)).ok());
  ASSERT_TRUE(table.Add(Kind("a", 1)).ok());
  const Status twice = table.Add(Kind("a", 3));
  EXPECT_EQ(twice.reason(), "KIND_EXISTS");
  EXPECT_EQ(twice.message(), "exec kind 'a' is registered twice");
  EXPECT_EQ(table.Find("a")->own, 1);
  EXPECT_EQ(table.FindOptions("b")->name, "b");
  EXPECT_EQ(table.FindOptions("c"), nullptr);
  EXPECT_THAT(table.Names(), ElementsAre("a", "b"));
}

TEST(KindTable, WhatWasFoundStaysAsItWasWhenItIsReplaced) {
  Table table("exec");
  ASSERT_TRUE(table.Add(Kind("changed", 1)).ok());
  ASSERT_TRUE(table.Add(Kind("gone", 1)).ok());
  const Table::Kind *changed = table.Find("changed"), *gone = table.Find("gone");
  table.Replace({Kind("new", 1), Kind("changed", 2)});
  EXPECT_THAT(table.Names(), ElementsAre("changed", "new"));
  EXPECT_EQ(table.Find("changed")->own, 2);
  EXPECT_EQ(table.Find("gone"), nullptr);
  EXPECT_EQ(changed->own, 1);
  EXPECT_EQ(gone->options.name, "gone");
  table.Replace({});
  EXPECT_THAT(table.Names(), IsEmpty());
}

TEST(KindTable, AKindThatIsAsItWasBeforeIsThatVersionAgain) {
  Table table("exec");
  ASSERT_TRUE(table.Add(Kind("a", 1)).ok());
  ASSERT_TRUE(table.Add(Kind("b", 1)).ok());
  const Table::Kind *first = table.Find("a"), *same = table.Find("b");
  table.Replace({Kind("a", 2), Kind("b", 1)});
  EXPECT_NE(table.Find("a"), first);
  EXPECT_EQ(table.Find("b"), same);
  Table::Kind other = Kind("b", 1);
  other.options.run_timeout = 1s;
  table.Replace({Kind("a", 1), other});
  EXPECT_EQ(table.Find("a"), first);
  EXPECT_NE(table.Find("b"), same) << "its options differ";
}

TEST(KindTable, WhatCannotBeComparedIsAlwaysANewVersion) {
  KindTable<std::function<int()>> table("native");
  table.Replace({{.options = {.name = "a"}, .own = [] { return 1; }}});
  const auto* first = table.Find("a");
  table.Replace({{.options = {.name = "a"}, .own = [] { return 2; }}});
  EXPECT_EQ(first->own(), 1);
  EXPECT_EQ(table.Find("a")->own(), 2);
}

// For ThreadSanitizer, too: whoever looks up sees one whole table or the other.
TEST(KindTable, IsReadWhileItIsReplaced) {
  Table table("exec");
  table.Replace({Kind("always", 0), Kind("even", 0)});
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!over.load()) {
        const Table::Kind* always = table.Find("always");
        ASSERT_NE(always, nullptr);
        ASSERT_EQ(always->options.name, "always");
        const Table::Kind* even = table.Find("even");
        ASSERT_TRUE(even == nullptr || even->own % 2 == 0);
        ASSERT_GE(table.Names().size(), 1u);
      }
    });
  }
  for (int i = 1; i <= 300; ++i) {
    std::vector<Table::Kind> kinds{Kind("always", i)};
    if (i % 2 == 0) kinds.push_back(Kind("even", i));
    table.Replace(std::move(kinds));
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace millrace::runners
