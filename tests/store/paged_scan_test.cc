#include "store/paged_scan.h"

#include <gtest/gtest.h>

#include "tests/support/fake_disk.h"

namespace millrace::store {
namespace {

using test::FakeDisk;
using test::Platter;

class PagedScanTest : public testing::Test {
 protected:
  // The keys of each page.
  std::vector<std::vector<std::string>> Pages(PagedScan scan, size_t bytes_each = 0) {
    std::vector<std::vector<std::string>> pages;
    while (!scan.AtEnd()) {
      pages.emplace_back();
      Status status = scan.ReadPage([&](std::span<Disk::Cursor* const> cursors) -> Result<size_t> {
        pages.back().emplace_back(cursors[0]->key());
        return bytes_each;
      });
      EXPECT_TRUE(status.ok());
    }
    return pages;
  }
  void Put(Shelf shelf, const std::string& key) { platter.shelves[static_cast<size_t>(shelf)][key] = "value"; }

  Platter platter;
  FakeDisk disk{platter};
};

using Expected = std::vector<std::vector<std::string>>;

TEST_F(PagedScanTest, EachKeyIsReadOnceWhateverThePagesHold) {
  for (const char* key : {"a", "b", "bb", "c", "d"}) Put(Shelf::kEnded, key);
  EXPECT_EQ(Pages({disk, {Shelf::kEnded}}), (Expected{{"a", "b", "bb", "c", "d"}}));
  EXPECT_EQ(Pages({disk, {Shelf::kEnded}, {.keys = 2}}), (Expected{{"a", "b"}, {"bb", "c"}, {"d"}}));
  EXPECT_EQ(Pages({disk, {Shelf::kEnded}, {.bytes = 10}}, 4), (Expected{{"a", "b", "bb"}, {"c", "d"}}));
  EXPECT_EQ(Pages({disk, {Shelf::kEnded}, {.keys = 3}, "b"}), (Expected{{"b", "bb", "c"}, {"d"}}));
}

TEST_F(PagedScanTest, AnEmptyShelfIsOnePageWithoutAKey) {
  Put(Shelf::kSpec, "a");
  EXPECT_EQ(Pages({disk, {Shelf::kEnded, Shelf::kSpec}}), (Expected{{}}));
}

TEST_F(PagedScanTest, AnErrorOfTheReaderEndsThePageAndTheSameOneBeginsAgain) {
  for (const char* key : {"a", "b"}) Put(Shelf::kEnded, key);
  PagedScan scan(disk, {Shelf::kEnded});
  const Status status = scan.ReadPage([](std::span<Disk::Cursor* const> cursors) -> Result<size_t> {
    if (cursors[0]->key() == "b") return Internal("STORE_DAMAGED", "no");
    return size_t{0};
  });
  EXPECT_EQ(status.reason(), "STORE_DAMAGED");
  EXPECT_FALSE(scan.AtEnd());
  EXPECT_EQ(scan.from(), "");
}

TEST_F(PagedScanTest, WhatIsWrittenBetweenTwoPagesIsFoundBehindThem) {
  for (const char* key : {"a", "b"}) Put(Shelf::kEnded, key);
  PagedScan scan(disk, {Shelf::kEnded}, {.keys = 1});
  std::vector<std::string> keys;
  while (!scan.AtEnd()) {
    const Status status = scan.ReadPage([&](std::span<Disk::Cursor* const> cursors) -> Result<size_t> {
      keys.emplace_back(cursors[0]->key());
      return size_t{0};
    });
    ASSERT_TRUE(status.ok());
    Put(Shelf::kEnded, "c");
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "b", "c"}));
}

}  // namespace
}  // namespace millrace::store
