// The journal on RocksDB: jobs acknowledged a second by how many submit at a time, what the modes cost, and recovery.
// TMPDIR chooses the disk. `disk_fsync` is the floor: an append and fdatasync of the same bytes, nothing else.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <semaphore>
#include <string>

#include "base/check.h"
#include "store/rocks_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using dispatch::JobRecord;
using dispatch::Journal;
using store::RocksJournal;
using store::RocksJournalOptions;

constexpr size_t kPayloadBytes = 100;

JobRecord Record(uint64_t number) {
  static const auto spec = [] {
    JobSpec made;
    made.pool = "default";
    made.kind = "noop";
    made.payload = MakeBytes(std::string(kPayloadBytes, 'x'));
    return std::make_shared<const JobSpec>(made);
  }();
  return {.id = {1, number}, .spec = spec, .life = {.state = JobState::kQueued}};
}

std::unique_ptr<RocksJournal> Open(const std::string& folder, RocksJournalOptions options) {
  auto journal = RocksJournal::Open(folder, options);
  MR_CHECK(journal.ok(), "%s", journal.status().ToString().c_str());
  return *std::move(journal);
}

// One client's place in the window: a submit it waits for.
class Slot final : public Journal::Waiter {
 public:
  explicit Slot(std::counting_semaphore<>& free) : free_(free) {}
  void OnCommitted(const Status& status) override {
    MR_CHECK(status.ok(), "%s", status.ToString().c_str());
    free_.release();
  }

 private:
  std::counting_semaphore<>& free_;
};

// `window` submits are under way at any time, as of so many clients that each wait for their answer.
void Submits(benchmark::State& state, Durability durability) {
  test::TempFolder folder;
  auto journal = Open(folder.path(), {.durability = durability});
  const auto window = static_cast<ptrdiff_t>(state.range(0));
  std::counting_semaphore<> free(window);
  Slot slot(free);
  uint64_t number = 0;
  for (auto _ : state) {
    free.acquire();
    const JobRecord record = Record(++number);
    const JobRecord* one = &record;
    MR_CHECK(!journal->Append(std::span(&one, 1), Journal::Accepting::kYes, &slot), "answered at once");
  }
  for (ptrdiff_t i = 0; i < window; ++i) free.acquire();
  const store::StoreStats stats = journal->Stats();
  state.SetItemsProcessed(static_cast<int64_t>(number));
  state.counters["jobs_a_batch"] = stats.batch_records.sum / static_cast<double>(stats.batch_records.count());
  state.counters["ms_a_batch"] = 1e3 * stats.write_seconds.sum / static_cast<double>(stats.write_seconds.count());
}
BENCHMARK_CAPTURE(Submits, fsync, Durability::kFsync)
    ->Name("submit_fsync")
    ->Arg(1)
    ->Arg(32)
    ->Arg(256)
    ->Arg(4096)
    ->UseRealTime();
BENCHMARK_CAPTURE(Submits, interval, Durability::kInterval)->Name("submit_interval")->Arg(1)->Arg(256)->UseRealTime();
BENCHMARK_CAPTURE(Submits, none, Durability::kNone)->Name("submit_none")->Arg(1)->Arg(256)->UseRealTime();

void DiskFsync(benchmark::State& state) {
  test::TempFolder folder;
  const int fd = open((folder / "file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  MR_CHECK(fd >= 0, "cannot open a file");
  const std::string bytes(kPayloadBytes + 200, 'x');
  for (auto _ : state) {
    MR_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "write");
    MR_CHECK(fdatasync(fd) == 0, "fdatasync");
  }
  close(fd);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(DiskFsync)->Name("disk_fsync")->UseRealTime();

// Opening a store with so many queued jobs and reading them all.
void Recovers(benchmark::State& state) {
  test::TempFolder folder;
  const auto jobs = static_cast<uint64_t>(state.range(0));
  {
    auto journal = Open(folder.path(), {.durability = Durability::kNone});
    for (uint64_t number = 0; number < jobs; ++number) {
      const JobRecord record = Record(number);
      const JobRecord* one = &record;
      journal->Append(std::span(&one, 1), Journal::Accepting::kYes, nullptr);
    }
  }
  for (auto _ : state) {
    auto journal = Open(folder.path(), {});
    uint64_t found = 0;
    MR_CHECK(journal->Load([&](JobRecord) { ++found; }).ok(), "load");
    MR_CHECK(found == jobs, "%lu jobs were found", found);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Recovers)->Name("recover")->Arg(100'000)->Arg(1'000'000)->UseRealTime()->Iterations(1)->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
