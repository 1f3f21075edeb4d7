// The disk's room, and what gives it back.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "store/disk_journal.h"
#include "tests/support/dispatch_fixture.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace::test {
namespace {

namespace fs = std::filesystem;

uint64_t FolderBytes(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code gone;  // Files come and go meanwhile.
  for (const auto& file : fs::directory_iterator(folder)) {
    const uint64_t size = file.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

TEST(Space, ComesBackAfterABurstOfLargeJobs) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  constexpr int kJobs = 300;
  TempFolder folder;
  auto journal = test::OpenJournal(folder.path(), {.durability = Durability::kNone});
  ASSERT_TRUE(journal.ok());
  DispatchSetup setup;
  setup.journal = journal->get();
  setup.pools = {{.name = "default", .workers = 4, .capacity_bytes = int64_t{1} << 40}};
  setup.options.finished_bytes_max = 8 * kMiB;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    ASSERT_TRUE(d.dispatcher.Pause("default").ok());
    // Bytes that cannot be compressed; the first job stays, and pins nothing.
    std::mt19937_64 random(1);
    std::vector<JobId> ids;
    JobSpec later = d.Spec("noop");
    later.delay = std::chrono::hours(1);
    ids.push_back(d.Submit(later));
    for (int i = 0; i < kJobs; ++i) {
      std::string payload(kMiB, '\0');
      for (size_t at = 0; at < payload.size(); at += 8) {
        const uint64_t word = random();
        memcpy(&payload[at], &word, 8);
      }
      ids.push_back(d.Submit("noop", std::move(payload)));
    }
    const uint64_t full = FolderBytes(folder.path());
    EXPECT_GT(full, kJobs * kMiB);
    EXPECT_LT(d.dispatcher.Stats().process_bytes, static_cast<int64_t>(66 * kMiB)) << "the others are on the disk only";
    ASSERT_TRUE(d.dispatcher.Resume("default").ok());
    d.Await(ids.back());
    while (d.Pool().queued_jobs + d.Pool().workers_busy > 0) rt::Yield();
    // What retention keeps, and the garbage that is not worth the work yet.
    constexpr uint64_t kSmall = (8 + 64 + 16) * kMiB;
    while (FolderBytes(folder.path()) > kSmall) rt::Yield();
    EXPECT_EQ(d.State(ids.front()), JobState::kScheduled);
    std::printf("%lu MiB full, %lu MiB drained\n", full / kMiB, FolderBytes(folder.path()) / kMiB);
    d.Stop(Nanos(0));
    (*journal)->Stop();
  });
}

}  // namespace
}  // namespace millrace::test
