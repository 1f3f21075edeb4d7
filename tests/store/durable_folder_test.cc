// That the folder survives a loss of power is what tests/crash proves; here is how it is made.
#include "store/rocks/durable_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace millrace::test {
namespace {

TEST(DurableFolder, MakesWhatIsMissingAndLeavesWhatIsThere) {
  TempFolder folder;
  ASSERT_TRUE(store::MakeDurableFolder(folder / "a/b/c").ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b/c"));
  std::ofstream(folder / "a/b/c/file") << "content";
  ASSERT_TRUE(store::MakeDurableFolder(folder / "a/./b//c").ok());
  EXPECT_EQ(std::filesystem::file_size(folder / "a/b/c/file"), 7u);
}

TEST(DurableFolder, SaysWhichFolderCannotBeMade) {
  TempFolder folder;
  std::ofstream(folder / "file") << "in the way";
  const Status status = store::MakeDurableFolder(folder / "file/a");
  EXPECT_EQ(status.reason(), "STORE_FAILED");
  EXPECT_NE(status.message().find(folder / "file/a"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace millrace::test
