#include "base/published.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace millrace {
namespace {

TEST(Published, GivesTheNewestValueAndKeepsWhatWasGiven) {
  Published<std::string> word("first");
  const std::string& first = word.Get();
  word.Replace("second");
  EXPECT_EQ(word.Get(), "second");
  EXPECT_EQ(first, "first");
}

TEST(Published, IsChangedInItsPlaceBeforeItIsShared) {
  Published<std::string> word;
  word.Unshared() += "made";
  EXPECT_EQ(word.Get(), "made");
}

// Says something under ThreadSanitizer.
TEST(Published, IsReadWhileItIsReplaced) {
  struct Pair {
    int one = 0, same = 0;
  };
  Published<Pair> pair;
  std::atomic<bool> over{false};
  std::thread reader([&] {
    int last = 0;
    while (!over.load()) {
      const Pair& now = pair.Get();
      EXPECT_EQ(now.one, now.same);
      EXPECT_LE(last, now.one);
      last = now.one;
    }
  });
  for (int i = 1; i <= 1000; ++i) pair.Replace({i, i});
  over = true;
  reader.join();
}

}  // namespace
}  // namespace millrace
