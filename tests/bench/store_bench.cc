// The journal on RocksDB: jobs acknowledged a second by how many submit at a time, how long each waits for it and what
// is written for it, in each mode; and recovery.
// TMPDIR chooses the disk. `disk_fsync` is the floor: an append and fdatasync of the same bytes, nothing else.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "dispatch/dispatcher.h"
#include "runtime/runtime.h"
#include "store/disk_journal.h"
#include "tests/support/one_part.h"
#include "tests/support/open_journal.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using dispatch::JobRecord;
using dispatch::Journal;
using store::DiskJournal;
using store::DiskJournalOptions;

constexpr size_t kPayloadBytes = 100;

JobRecord Record(uint64_t number, size_t payload_bytes = kPayloadBytes, bool request_id = false) {
  static std::shared_ptr<const JobSpec> spec;
  if (!spec || PayloadOf(*spec).size() != payload_bytes) {
    JobSpec made;
    made.pool = "default";
    made.kind = "noop";
    made.payload = MakeBytes(std::string(payload_bytes, 'x'));
    spec = std::make_shared<const JobSpec>(made);
  }
  return {.id = {1, number},
          .spec = spec,
          .payload_bytes = static_cast<int64_t>(payload_bytes),
          .request_id = request_id ? "request-" + std::to_string(1'000'000'000'000'000'000 + number) + "-padding" : "",
          .life = {.state = JobState::kQueued}};
}

std::unique_ptr<DiskJournal> Open(const std::string& folder, DiskJournalOptions options) {
  auto journal = test::OpenJournal(folder, options);
  MR_CHECK(journal.ok(), "%s", journal.status().ToString().c_str());
  return *std::move(journal);
}

void Fill(const std::string& folder, uint64_t jobs, size_t payload_bytes = kPayloadBytes, bool request_ids = false) {
  auto journal = Open(folder, {.durability = Durability::kNone});
  for (uint64_t number = 1; number <= jobs; ++number) {
    const JobRecord record = Record(number, payload_bytes, request_ids);
    const JobRecord* one = &record;
    test::Append(*journal, std::span(&one, 1), test::Accepting::kYes, nullptr);
  }
}

int64_t ResidentBytes() {
  malloc_trim(0);  // What is free is not held.
  int64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

class NoRunner final : public dispatch::Runner {
 public:
  std::string_view name() const override { return "native"; }
  const dispatch::KindOptions* FindKind(std::string_view) const override { return &noop_; }
  std::vector<std::string> Kinds() const override { return {"noop"}; }
  dispatch::AttemptOutcome Run(dispatch::AttemptContext&) override { return {}; }

 private:
  dispatch::KindOptions noop_{.name = "noop"};
};

// Handed to write(2) by this process so far: the log, tables, and what is written again by compaction.
double WrittenBytes() {
  std::ifstream io("/proc/self/io");
  for (std::string name; io >> name;) {
    double value = 0;
    io >> value;
    if (name == "wchar:") return value;
  }
  MR_FATAL("/proc/self/io has no line 'wchar'");
}

// So many clients, each with one submit under way: it sends the next when it has the answer.
class Clients {
 public:
  explicit Clients(Journal& journal, size_t count) : journal_(journal), clients_(count) {
    for (Client& client : clients_) {
      client.all = this;
      ready_.push_back(&client);
    }
  }
  // When one of them is ready.
  void Submit(const JobRecord& record) {
    std::unique_lock guard(lock_);
    came_.wait(guard, [this] { return !ready_.empty(); });
    Client* client = ready_.back();
    ready_.pop_back();
    guard.unlock();
    client->sent = Now();
    const JobRecord* one = &record;
    MR_CHECK(!test::Append(journal_, std::span(&one, 1), test::Accepting::kYes, client), "answered at once");
  }
  void AwaitAll() {
    std::unique_lock guard(lock_);
    came_.wait(guard, [this] { return ready_.size() == clients_.size(); });
  }
  // What the answers so far say. To be called after AwaitAll.
  double Milliseconds(double quantile) {
    auto at = waited_.begin() + static_cast<ptrdiff_t>(quantile * static_cast<double>(waited_.size() - 1));
    std::nth_element(waited_.begin(), at, waited_.end());
    return static_cast<double>(*at) * 1e-6;
  }

 private:
  struct Client final : Journal::Waiter {
    void OnCommitted(const Status& status) override {
      MR_CHECK(status.ok(), "%s", status.ToString().c_str());
      all->Answered(this);
    }
    Clients* all = nullptr;
    int64_t sent = 0;
  };
  static int64_t Now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
  void Answered(Client* client) {
    const int64_t now = Now();
    bool first;
    {
      std::lock_guard guard(lock_);
      waited_.push_back(now - client->sent);
      first = ready_.empty();
      ready_.push_back(client);
      first |= ready_.size() == clients_.size();
    }
    if (first) came_.notify_one();
  }

  Journal& journal_;
  std::vector<Client> clients_;
  std::mutex lock_;
  std::condition_variable came_;
  std::vector<Client*> ready_;
  std::vector<int64_t> waited_;
};

void Submits(benchmark::State& state, Durability durability) {
  test::TempFolder folder;
  auto journal = Open(folder.path(), {.durability = durability});
  Clients clients(*journal, static_cast<size_t>(state.range(0)));
  uint64_t number = 0;
  const double written_before = WrittenBytes();
  for (auto _ : state) clients.Submit(Record(++number));
  clients.AwaitAll();
  const dispatch::JournalStats stats = journal->Stats();
  const auto jobs = static_cast<double>(number);
  state.SetItemsProcessed(static_cast<int64_t>(number));
  state.counters["p50_ms"] = clients.Milliseconds(0.5);
  state.counters["p99_ms"] = clients.Milliseconds(0.99);
  state.counters["bytes_a_job"] = (WrittenBytes() - written_before) / jobs;
  state.counters["jobs_a_batch"] = stats.batch_records.sum / static_cast<double>(stats.batch_records.count());
  state.counters["fsyncs"] = static_cast<double>(stats.fsync_seconds.count());
}
void ManyClients(benchmark::internal::Benchmark* bench) {
  bench->ArgName("clients")->Arg(1)->Arg(8)->Arg(64)->Arg(1000)->UseRealTime();
}
BENCHMARK_CAPTURE(Submits, fsync, Durability::kFsync)->Name("submit_fsync")->Apply(ManyClients);
BENCHMARK_CAPTURE(Submits, interval, Durability::kInterval)->Name("submit_interval")->Apply(ManyClients);
BENCHMARK_CAPTURE(Submits, none, Durability::kNone)->Name("submit_none")->Apply(ManyClients);

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
  Fill(folder.path(), jobs);
  for (auto _ : state) {
    auto journal = Open(folder.path(), {});
    uint64_t found = 0;
    MR_CHECK(journal->Load([&](JobRecord) { ++found; }).ok(), "load");
    MR_CHECK(found == jobs, "%lu jobs were found", found);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
// A dispatcher's start on such a store, all jobs queued again. Counters: what is resident more for each job, and what
// malloc has given out more, both with all of the store.
void Starts(benchmark::State& state) {
  test::TempFolder folder;
  const auto jobs = static_cast<uint64_t>(state.range(0));
  Fill(folder.path(), jobs, static_cast<size_t>(state.range(1)), state.range(2) != 0);
  const int64_t before = ResidentBytes();
  const auto given_before = static_cast<double>(mallinfo2().uordblks);
  for (auto _ : state) {
    rt::Runtime runtime({.procs = 2});
    runtime.Run([&] {
      SystemClock clock;
      NoRunner runner;
      auto journal = Open(folder.path(), {});
      dispatch::Dispatcher dispatcher({runtime, clock, *journal, {&runner}}, {.process_bytes_max = int64_t{1} << 40});
      // No worker takes a job before all are there, and the pool is paused then.
      MR_CHECK(dispatcher.AddPool({.name = "default", .workers = 1}).ok(), "pool");
      MR_CHECK(dispatcher.Pause("default").ok(), "pause");
      MR_CHECK(dispatcher.Start(/*run_timekeeper=*/false).ok(), "start");
      MR_CHECK(dispatcher.Stats().jobs[static_cast<size_t>(JobState::kQueued)] == state.range(0), "jobs are missing");
      state.PauseTiming();
      const double count = static_cast<double>(jobs);
      state.counters["bytes_a_job"] = static_cast<double>(ResidentBytes() - before) / count;
      state.counters["malloc_a_job"] = (static_cast<double>(mallinfo2().uordblks) - given_before) / count;
      dispatcher.Stop(Nanos(0));
      journal->Stop();
      state.ResumeTiming();
    });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Starts)
    ->Name("start")
    ->ArgNames({"jobs", "payload", "request_ids"})
    ->Args({100'000, 100, 0})
    ->Args({1'000'000, 100, 0})
    ->Args({1'000'000, 100, 1})
    ->Args({1'000'000, 4096, 0})
    ->UseRealTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(Recovers)->Name("recover")->Arg(100'000)->Arg(1'000'000)->UseRealTime()->Iterations(1)->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
