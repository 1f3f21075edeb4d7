#include "dispatch/live_output.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace::dispatch {
namespace {

TEST(LogTail, KeepsTheNewestBytesWhateverTheSizesOfTheChunks) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  LogTail tail;
  std::string all;
  for (int i = 0; i < 300; ++i) {
    // Mostly lines, now and then more than the log keeps.
    size_t size = random() % 20 == 0 ? random() % (2 * kLogTailBytes) : random() % 200;
    std::string chunk(size, static_cast<char>('a' + i % 26));
    all += chunk;
    tail.Append(chunk);
    size_t kept = std::min(all.size(), kLogTailBytes);
    ASSERT_EQ(tail.Content(), all.substr(all.size() - kept)) << "after chunk " << i;
    ASSERT_EQ(tail.bytes_ever(), static_cast<int64_t>(all.size()));
  }
}

TEST(LogTail, AChunkOfExactlyTheLimitReplacesEverything) {
  LogTail tail;
  tail.Append("old");
  tail.Append(std::string(kLogTailBytes, 'n'));
  EXPECT_EQ(tail.Content(), std::string(kLogTailBytes, 'n'));
  tail.Append("x");
  EXPECT_EQ(tail.Content(), std::string(kLogTailBytes - 1, 'n') + "x");
}

}  // namespace
}  // namespace millrace::dispatch
