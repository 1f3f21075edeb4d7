// A store whose files were hit at random: it says that it is damaged, or it has exactly the jobs that were
// acknowledged. Never a crash, never a wrong job, never one that is missing without a word.
#include <gtest/gtest.h>

#include <filesystem>

#include "store/disk_journal.h"
#include "store/rocks/rocks_disk.h"
#include "store/tools/verify.h"
#include "tests/support/journal_calls.h"
#include "tests/support/one_part.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using dispatch::JobRecord;
using test::Accept;
using test::Print;
using test::RandomRecords;
using test::ReadFile;
using test::TempFolder;
using test::WriteFile;

// All that a store has to remember.
struct Memory {
  std::map<JobId, std::string> jobs;
  std::map<std::string, std::string> requests;  // Requests of jobs that have ended or are forgotten.
  bool operator==(const Memory&) const = default;
};

// What was on the disk after each acknowledged call.
struct History {
  std::vector<Memory> states;
  std::vector<size_t> begins;  // For each: where the batch that made it begins, in the log that was the newest then.
  size_t before_last = 0;      // The state before the last call, which may have made several batches.

  // The newest moment at which it looked like this.
  std::optional<size_t> Find(const Memory& memory) const {
    for (size_t i = states.size(); i > 0; --i) {
      if (states[i - 1] == memory) return i - 1;
    }
    return std::nullopt;
  }
  size_t last() const { return states.size() - 1; }
};

// By name; the numbers in them are of one length.
fs::path NewestLog(const std::string& folder) {
  fs::path newest;
  for (const auto& each : fs::directory_iterator(folder)) {
    if (each.path().extension() == ".log" && each.path() > newest) newest = each.path();
  }
  return newest;
}

Memory Remembered(DiskJournal& journal, Status* status) {
  Memory memory{.jobs = test::Remembered(journal, status), .requests = {}};
  if (!status->ok()) return memory;
  *status = journal.LoadRequests([&](const dispatch::SpentRequest& request) {
    EXPECT_TRUE(memory.requests.emplace(request.request_id, EncodeRequest(request)).second);
  });
  return memory;
}

// The life of some jobs: each step is acknowledged before the next.
class JobWriter {
 public:
  explicit JobWriter(unsigned seed) : random_(seed) {
    history.states.emplace_back();
    history.begins.emplace_back();
  }

  void Step(DiskJournal& journal) {
    Memory now = history.states.back();
    const auto it = std::next(jobs_.begin(), static_cast<ptrdiff_t>(random_.Below(std::max<size_t>(jobs_.size(), 1))));
    if (it == jobs_.end() || random_.Below(5) < 2) {
      JobRecord record = random_.New();
      // All of them differ, and half of them are there.
      record.request_id = random_.Chance() ? "request " + std::to_string(history.states.size()) : "";
      if (record.request_id.empty()) record.fingerprint = 0;
      EXPECT_TRUE(Accept(journal, record).ok());
      now.jobs[record.id] = Print(record);
      jobs_[record.id] = std::move(record);
    } else if (JobRecord& record = it->second; !IsTerminal(record.life.state)) {
      if (random_.Below(3) == 0) {
        random_.Live(&record);
      } else {
        random_.Ended(&record);
        NoteRequest(record, std::nullopt, &now);
      }
      EXPECT_TRUE(test::Change(journal, record).ok());
      now.jobs[record.id] = Print(record);
    } else if (const dispatch::EndedJob was = EndedOf(record); random_.Chance()) {
      random_.Live(&record);
      EXPECT_TRUE(test::Revive(journal, record, was).ok());
      now.jobs[record.id] = Print(record);
    } else {
      const std::optional<dispatch::SpentRequest> spent = NoteRequest(record, random_.Wall(), &now);
      test::Forget(journal, was, spent ? &*spent : nullptr);
      now.jobs.erase(record.id);
      jobs_.erase(it);
      if (random_.Below(4) == 0 && spent) {
        test::DropRequest(journal, spent->request_id);
        now.requests.erase(spent->request_id);
      }
      // Nobody is told of either: they are there when the next call is.
      history.states.push_back(now);
      return Step(journal);
    }
    history.states.push_back(std::move(now));
  }

  History history;

 private:
  static std::optional<dispatch::SpentRequest> NoteRequest(const JobRecord& record, std::optional<WallTime> until,
                                                           Memory* now) {
    if (record.request_id.empty()) return std::nullopt;
    const dispatch::SpentRequest request{.request_id = record.request_id,
                                         .job = record.id,
                                         .fingerprint = record.fingerprint,
                                         .final_state = record.life.state,
                                         .until = until};
    now->requests[request.request_id] = EncodeRequest(request);
    return request;
  }

  RandomRecords random_;
  std::map<JobId, JobRecord> jobs_;
};

// Several lives; what the last one did is in the log still, or in several logs.
History MakeStore(const std::string& folder, unsigned seed, const RocksDiskOptions& options, int steps) {
  JobWriter writer(seed);
  History& history = writer.history;
  for (int life = 0; life < 3; ++life) {
    auto disk = OpenRocksDisk(folder, options);
    EXPECT_TRUE(disk.ok());
    DiskJournal journal(*std::move(disk), {});
    for (int i = 0; i < steps; ++i) {
      const fs::path log = NewestLog(folder);
      const size_t begin = fs::file_size(log);
      history.before_last = history.last();
      writer.Step(journal);
      history.begins.resize(history.states.size(), NewestLog(folder) == log ? begin : 0);
    }
    // The end of the process adds nothing.
  }
  return std::move(history);
}

enum class Hit { kBits, kGarbage, kSwap, kHole, kCut, kRemove };
constexpr int kHits = 6;
constexpr size_t kSector = 512;

// What was done, for whoever has to find out. `hole`: where its sector is, if there is one.
std::string Strike(RandomRecords& random, Hit hit, const fs::path& file, size_t* hole) {
  std::string bytes = ReadFile(file);
  const size_t size = bytes.size();
  if (hit == Hit::kRemove || bytes.empty()) {
    fs::remove(file);
    return "removed";
  }
  // Often near the end, where what was written last is.
  const size_t at = random.Chance() ? random.Below(size) : size - 1 - random.Below(std::min<size_t>(size, 600));
  const size_t length = std::min<size_t>(1 + random.Below(random.Chance() ? 16 : 2000), size - at);
  switch (hit) {
    case Hit::kBits:
      for (uint64_t flips = 1 + random.Below(3); flips > 0; --flips) {
        bytes[std::min(at + random.Below(8), size - 1)] ^= static_cast<char>(1u << random.Below(8));
      }
      break;
    case Hit::kGarbage:
      for (size_t i = at; i < at + length; ++i) bytes[i] = static_cast<char>(1 + random.Below(255));
      break;
    case Hit::kSwap:  // Another part of the same file.
      bytes.replace(at, length, bytes.substr(random.Below(size - length + 1), length));
      break;
    case Hit::kHole: {
      const size_t sector = *hole = at / kSector * kSector;
      bytes.replace(sector, std::min(kSector, size - sector), std::min(kSector, size - sector), '\0');
      break;
    }
    default:
      bytes.resize(at);
  }
  WriteFile(file, bytes);
  return "kind " + std::to_string(static_cast<int>(hit)) + " at " + std::to_string(at) + ", " + std::to_string(length) +
         " of " + std::to_string(size);
}

void Fuzz(const RocksDiskOptions& options, int steps, int rounds) {
  const unsigned seed = getenv("MILLRACE_SEED") != nullptr ? static_cast<unsigned>(atoi(getenv("MILLRACE_SEED"))) : 1;
  printf("seed %u\n", seed);
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
  TempFolder folder;
  const History history = MakeStore(folder / "store", seed, options, steps);
  std::vector<fs::path> names;
  for (const auto& each : fs::directory_iterator(folder / "store")) names.push_back(each.path().filename());
  std::sort(names.begin(), names.end());
  const fs::path newest_log = NewestLog(folder / "store").filename();
  RandomRecords random(seed);
  int refused = 0, whole = 0, earlier = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string trial = folder / "trial";
    fs::remove_all(trial);
    fs::copy(folder / "store", trial);
    const fs::path name = names[random.Below(names.size())];
    const Hit hit = static_cast<Hit>(random.Below(kHits));
    size_t hole = 0;
    const std::string done = Strike(random, hit, trial / name, &hole);
    SCOPED_TRACE("round " + std::to_string(round) + ": " + name.string() + " " + done);
    const Result<VerifyReport> report = Verify(trial, 1);
    const bool sound = report.ok() && report->problem_count() == 0;
    auto disk = OpenRocksDisk(trial, options);
    Status status = disk.status();
    Memory found;
    if (status.ok()) {
      DiskJournal journal(*std::move(disk), {});
      found = Remembered(journal, &status);
    }
    // Whoever asks beforehand is told of all that a daemon refuses; and of blocks of tables that it does not come to.
    const std::string verdict = report.ok() ? (sound ? "sound" : report->first[0].what) : report.status().ToString();
    EXPECT_FALSE(sound && !status.ok()) << verdict << ", and " << status.ToString();
    EXPECT_TRUE(sound || !status.ok() || name.extension() == ".sst") << verdict << ", and nothing was said";
    if (!status.ok()) {
      ++refused;
      EXPECT_EQ(status.reason(), "STORE_DAMAGED") << status.ToString();
      continue;
    }
    const std::optional<size_t> moment = history.Find(found);
    ASSERT_TRUE(moment.has_value()) << "jobs that never were together";
    if (*moment == history.last()) {
      ++whole;
      continue;
    }
    ++earlier;
    // Without its end the newest log is what it was some time before; nobody can tell the difference from a machine
    // that stopped then.
    if (name == newest_log && (hit == Hit::kCut || hit == Hit::kRemove)) continue;
    // Zeros in the last batch are what a machine that stopped in the middle of it leaves.
    if (name == newest_log && hit == Hit::kHole && *moment >= history.before_last) continue;
    // Several whose beginnings are all in the hole cannot be told from one.
    if (name == newest_log && hit == Hit::kHole && history.begins[*moment + 1] >= hole &&
        history.begins.back() < hole + kSector) {
      continue;
    }
    FAIL() << "jobs are missing, and nothing was said: " << *moment << " of " << history.last();
  }
  printf("%d rounds: %d refused, %d whole, %d as of earlier\n", rounds, refused, whole, earlier);
  EXPECT_GT(refused, rounds / 5);
  EXPECT_GT(whole, 0);
}

// Where RocksDB believes what it reads (table_check.h).
TEST(StoreFuzz, EveryByteAtTheEndOfATableCounts) {
  TempFolder folder;
  const History history = MakeStore(folder / "store", 1, {}, 20);
  fs::path table;
  for (const auto& each : fs::directory_iterator(folder / "store")) {
    if (each.path().extension() == ".sst" && each.path() > table) table = each.path();
  }
  ASSERT_FALSE(table.empty());
  const std::string bytes = ReadFile(table);
  fs::copy(folder / "store", folder / "trial");
  int refused = 0;
  for (size_t from_end = 1; from_end <= std::min<size_t>(bytes.size(), 900); ++from_end) {
    SCOPED_TRACE(from_end);
    std::string hit = bytes;
    hit[hit.size() - from_end] ^= static_cast<char>(1u << from_end % 8);
    // Refused, it is left as it is; so a new copy is needed only after it was opened.
    WriteFile(fs::path(folder / "trial") / table.filename(), hit);
    auto disk = OpenRocksDisk(folder / "trial");
    if (!disk.ok()) {
      ++refused;
      ASSERT_EQ(disk.status().reason(), "STORE_DAMAGED") << disk.status().ToString();
      continue;
    }
    Memory found;
    Status status;
    {
      DiskJournal journal(*std::move(disk), {});
      found = Remembered(journal, &status);
    }
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_TRUE(found == history.states.back());
    fs::remove_all(folder / "trial");
    fs::copy(folder / "store", folder / "trial");
  }
  EXPECT_GT(refused, 500);
}

TEST(StoreFuzz, ASmallStoreIsRefusedOrRight) { Fuzz({.syncs_each = true}, 20, 500); }
TEST(StoreFuzz, AStoreOfManyFilesIsRefusedOrRight) {
  Fuzz({.buffer_bytes = size_t{32} << 10, .syncs_each = true}, 150, 500);
}

}  // namespace
}  // namespace millrace::store
