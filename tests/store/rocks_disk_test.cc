// The journal on RocksDB: real files, real processes, real damage.
#include "store/rocks/rocks_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "store/disk_journal.h"
#include "tests/support/journal_calls.h"
#include "tests/support/one_part.h"
#include "tests/support/open_journal.h"
#include "tests/support/store_files.h"
#include "tests/support/temp_folder.h"

#if defined(__SANITIZE_THREAD__)
// The system's RocksDB was not built for ThreadSanitizer, which therefore does not see how it orders a write on the
// commit thread before a read on another, only the memcpy and memcmp on both sides.
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb.so\n"; }
#endif

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using dispatch::JobRecord;
using dispatch::Journal;
using test::Accept;
using test::Change;
using test::Print;
using test::RandomRecords;
using test::ReadFile;
using test::Remembered;
using test::TempFolder;
using test::WriteFile;

std::unique_ptr<DiskJournal> Open(const std::string& folder, DiskJournalOptions options = {}) {
  auto journal = test::OpenJournal(folder, options);
  EXPECT_TRUE(journal.ok()) << journal.status().ToString();
  return journal.ok() ? *std::move(journal) : nullptr;
}

// Random operations against a plain map, with a reopen after every step.
TEST(RocksDisk, IsWhatAPlainMapIsAlsoWhenReopenedAtEveryStep) {
  const unsigned seed = getenv("MILLRACE_SEED") != nullptr ? static_cast<unsigned>(atoi(getenv("MILLRACE_SEED"))) : 1;
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(seed));
  TempFolder folder;
  RandomRecords random(seed);
  std::map<JobId, JobRecord> model;
  auto journal = Open(folder.path());
  for (int step = 0; step < 60; ++step) {
    for (uint64_t operation = 1 + random.Below(8); operation > 0; --operation) {
      auto picked = model.begin();
      if (!model.empty()) std::advance(picked, random.Below(model.size()));
      switch (model.empty() ? 0 : random.Below(6)) {
        case 0:
        case 1: {
          std::vector<JobRecord> batch;
          std::vector<const JobRecord*> pointers;
          for (uint64_t jobs = 1 + random.Below(4); jobs > 0; --jobs) batch.push_back(random.New());
          for (const JobRecord& record : batch) pointers.push_back(&record);
          ASSERT_TRUE(test::Append(*journal, pointers, test::Accepting::kYes).ok());
          for (JobRecord& record : batch) model[record.id] = record;
          break;
        }
        case 2:
        case 3:
          if (const dispatch::EndedJob was = EndedOf(picked->second); IsTerminal(was.state)) {
            random.Live(&picked->second);
            ASSERT_TRUE(test::Revive(*journal, picked->second, was).ok());
          } else {
            random.Live(&picked->second);
            ASSERT_TRUE(Change(*journal, picked->second).ok());
          }
          break;
        case 4:
          if (IsTerminal(picked->second.life.state)) break;
          random.Ended(&picked->second);
          ASSERT_TRUE(Change(*journal, picked->second).ok());
          break;
        default:
          if (!IsTerminal(picked->second.life.state)) break;
          test::Forget(*journal, EndedOf(picked->second), nullptr);
          model.erase(picked);
      }
    }
    journal.reset();
    journal = Open(folder.path(), {.durability = static_cast<Durability>(random.Below(3))});
    ASSERT_NE(journal, nullptr);
    std::map<JobId, std::string> expected;
    for (const auto& [id, record] : model) expected[id] = Print(record);
    ASSERT_EQ(Remembered(*journal), expected) << "after step " << step;
  }
}

TEST(RocksDisk, RequestIdsOutliveTheirJobsUntilTheyAreDropped) {
  TempFolder folder;
  RandomRecords random(3);
  std::map<std::string, dispatch::SpentRequest> expected;
  for (int round = 0; round < 3; ++round) {
    auto journal = Open(folder.path());
    std::map<std::string, dispatch::SpentRequest> found;
    ASSERT_TRUE(journal->LoadRequests([&](dispatch::SpentRequest each) { found[each.request_id] = each; }).ok());
    EXPECT_EQ(found, expected);
    if (!expected.empty()) {
      test::DropRequest(*journal, expected.begin()->first);
      expected.erase(expected.begin());
    }
    for (int i = 0; i < 3; ++i) {
      const dispatch::SpentRequest request{
          "id " + random.Text(10), {random.Number(), 1}, random.Number(), JobState::kFailed, random.Wall()};
      JobRecord job = random.New();
      job.id = request.job;
      job.request_id = request.request_id;
      job.fingerprint = *request.fingerprint;
      ASSERT_TRUE(Accept(*journal, job).ok());
      random.Ended(&job);
      ASSERT_TRUE(Change(*journal, job).ok());
      expected[request.request_id] = {request.request_id, request.job, request.fingerprint, job.life.state,
                                      std::nullopt};
      if (random.Chance()) continue;  // The job is remembered still.
      test::Forget(*journal, EndedOf(job), &request);
      expected[request.request_id] = request;
    }
  }
}

// ---- Death --------------------------------------------------------------------------------------------------------

// Run by the test below in a process of its own: accepts jobs, ends and retries some, and says on its standard output
// what it was answered. Never ends by itself.
TEST(RocksDiskChild, DISABLED_WritesUntilItIsKilled) {
  const char* folder = getenv("MILLRACE_STORE");
  ASSERT_NE(folder, nullptr);
  auto journal = Open(folder);
  RandomRecords random(static_cast<unsigned>(getpid()));
  std::vector<JobRecord> mine;
  for (uint64_t n = 0;; ++n) {
    JobRecord* record;
    if (mine.empty() || random.Below(3) == 0) {
      record = &mine.emplace_back(random.New());
      record->attempts = 0;
      ASSERT_TRUE(Accept(*journal, *record).ok());
    } else {
      record = &mine[random.Below(mine.size())];
      const int number = record->attempts + 1;
      const dispatch::EndedJob was = EndedOf(*record);
      random.Chance() || IsTerminal(was.state) ? random.Live(record) : random.Ended(record);
      record->attempts = number;
      ASSERT_TRUE((IsTerminal(was.state) ? test::Revive(*journal, *record, was) : Change(*journal, *record)).ok());
    }
    // How often it was written stands for what was written.
    const std::string line = record->id.ToString() + " " + std::to_string(record->attempts) + "\n";
    ASSERT_EQ(write(STDOUT_FILENO, line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
}

TEST(RocksDisk, WhatWasAcknowledgedIsThereAfterKill9) {
  TempFolder folder;
  std::map<std::string, int> acknowledged;
  for (int round = 0; round < 5; ++round) {
    int pipe[2];
    ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    std::string store = "MILLRACE_STORE=" + (folder / "store");
    std::string arguments[] = {"store_test", "--gtest_also_run_disabled_tests",
                               "--gtest_filter=RocksDiskChild.DISABLED_WritesUntilItIsKilled"};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
    char* env[] = {store.data(), nullptr};
    pid_t child;
    ASSERT_EQ(posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv, env), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe[1]);
    // Some hundred answers, then death in the middle of whatever it does.
    std::string said;
    char buffer[4096];
    bool killed = false;
    while (true) {
      const ssize_t bytes = read(pipe[0], buffer, sizeof(buffer));
      if (bytes <= 0) break;
      said.append(buffer, static_cast<size_t>(bytes));
      if (!killed && std::count(said.begin(), said.end(), '\n') > 200 + 50 * round) {
        kill(child, SIGKILL);
        killed = true;
      }
    }
    close(pipe[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(killed && WIFSIGNALED(status)) << said;
    for (size_t at = 0, end; (end = said.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string line = said.substr(at, end - at);
      if (line.size() > 27 && line[26] == ' ' && Id::Parse(line.substr(0, 26))) {
        acknowledged[line.substr(0, 26)] = atoi(line.c_str() + 27);
      }
    }
    auto journal = Open(folder / "store");
    ASSERT_NE(journal, nullptr);
    std::map<std::string, int> found;
    for (const auto& [id, print] : Remembered(*journal)) {
      found[id.ToString()] = (*journal->Read(id, Journal::Part::kBasic))->attempts;
    }
    ASSERT_GT(acknowledged.size(), 10u);
    for (const auto& [id, writes] : acknowledged) {
      ASSERT_TRUE(found.contains(id)) << "round " << round;
      // One more may have been written without being answered.
      EXPECT_TRUE(found[id] == writes || found[id] == writes + 1) << id << " " << found[id] << " " << writes;
      acknowledged[id] = found[id];
    }
    EXPECT_LE(found.size(), acknowledged.size() + 1);
    for (const auto& [id, writes] : found) acknowledged[id] = writes;
  }
}

// ---- Who may open it ----------------------------------------------------------------------------------------------

TEST(RocksDisk, ASecondOneOnTheSameFolderIsRefused) {
  TempFolder folder;
  auto first = Open(folder.path());
  auto second = test::OpenJournal(folder.path(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().reason(), "STORE_IN_USE") << second.status().ToString();
  EXPECT_TRUE(Accept(*first, RandomRecords(1).New()).ok());
}

TEST(RocksDisk, AFolderThatCannotBeWrittenIsAnError) {
  TempFolder folder;
  WriteFile(folder / "file", "not a folder");
  EXPECT_EQ(test::OpenJournal(folder / "file", {}).status().reason(), "STORE_FAILED");
  // The superuser may write anywhere but there.
  EXPECT_EQ(test::OpenJournal("/proc/millrace", {}).status().reason(), "STORE_FAILED");
}

// ---- Damage -------------------------------------------------------------------------------------------------------

// Every file of a store, damaged in turn: either it opens and every job it gives is one that was written, as it was
// written, and none is missing; or it says that it is damaged.
TEST(RocksDisk, ADamagedFileIsAnErrorOrMakesNoDifference) {
  TempFolder folder;
  RandomRecords random(7);
  std::map<JobId, std::string> written;
  const std::string original = folder / "original";
  for (int session = 0; session < 3; ++session) {  // Opening one again makes tables of its log; the last log is left.
    auto journal = Open(original);
    for (int i = 0; i < 40; ++i) {
      JobRecord record = random.New();
      ASSERT_TRUE(Accept(*journal, record).ok());
      if (random.Chance()) {
        random.Ended(&record);
        ASSERT_TRUE(Change(*journal, record).ok());
      }
      written[record.id] = Print(record);
    }
    if (session == 2) {
      journal->Stop();
      fs::copy(original, folder / "copy");  // As a crash would leave it.
    }
  }
  int refused = 0, opened = 0;
  const std::string trial = folder / "trial";
  for (const auto& file : fs::directory_iterator(folder / "copy")) {
    const std::string name = file.path().filename();
    if (name.starts_with("LOG") || name == "LOCK" || name == "IDENTITY" || name.starts_with("OPTIONS")) continue;
    for (int round = 0; round < 12; ++round) {
      fs::remove_all(trial);
      fs::copy(folder / "copy", trial);
      std::string bytes = ReadFile(trial + "/" + name);
      if (bytes.empty()) continue;
      // Never the tail of the log alone: what is cut off there is what a crash cuts off.
      const bool log = name.ends_with(".log");
      const size_t at = random.Below(log ? bytes.size() / 2 : bytes.size());
      bytes[at] ^= static_cast<char>(1u << random.Below(8));
      WriteFile(trial + "/" + name, bytes);
      auto journal = test::OpenJournal(trial, {});
      Status status = journal.status();
      std::map<JobId, std::string> found;
      if (status.ok()) {
        found = Remembered(**journal, &status);
      }
      for (const auto& [id, print] : found) ASSERT_EQ(print, written[id]) << "a wrong job from " << name;
      if (status.ok()) {
        ++opened;
        EXPECT_EQ(found.size(), written.size()) << name << " byte " << at << ": jobs disappeared without a word";
      } else {
        ++refused;
        EXPECT_FALSE(status.message().empty());
      }
    }
  }
  EXPECT_GT(refused, 20) << opened << " opened";
}

TEST(RocksDisk, ALostFileIsAnError) {
  TempFolder folder;
  RandomRecords random(8);
  {
    auto journal = Open(folder / "store");
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Accept(*journal, random.New()).ok());
  }
  Open(folder / "store").reset();  // What was in the log is in tables now.
  int tables = 0;
  std::vector<fs::path> files(fs::directory_iterator(folder / "store"), fs::directory_iterator{});
  for (const fs::path& file : files) {
    if (file.extension() != ".sst") continue;
    ++tables;
    fs::remove(file);
  }
  ASSERT_GT(tables, 0);
  auto journal = test::OpenJournal(folder / "store", {});
  Status status = journal.status();
  if (status.ok()) Remembered(**journal, &status);
  EXPECT_FALSE(status.ok());
}

// ---- A disk without room ------------------------------------------------------------------------------------------

// A limit on the size of files stands for the end of the disk: writes fail in the middle, at RocksDB's own doing.
TEST(RocksDisk, WithoutRoomNothingAcknowledgedIsLost) {
  TempFolder folder;
  RandomRecords random(9);
  auto journal = Open(folder.path(), {.retry_delay = std::chrono::milliseconds(1)});
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::map<JobId, std::string> acknowledged;
  auto submit = [&] {
    JobRecord record = random.New();
    auto spec = std::make_shared<JobSpec>(*record.spec);
    spec->payload = MakeBytes(std::string(20'000, 'x'));
    record.spec = spec;
    Status status = Accept(*journal, record);
    if (status.ok()) acknowledged[record.id] = Print(record);
    return status;
  };
  ASSERT_TRUE(submit().ok());
  rlimit small = before;
  small.rlim_cur = rlim_t{1} << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  int submits = 0;
  while (submit().ok() && ++submits < 200) {
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_LT(submits, 200) << "the limit was never felt";
  while (!journal->Health().ok()) std::this_thread::yield();
  EXPECT_TRUE(submit().ok());
  journal.reset();
  journal = Open(folder.path());
  EXPECT_EQ(Remembered(*journal), acknowledged);
}

// Not even for the files that opening a store makes: it fails until there is room again.
TEST(RocksDisk, WithoutAnyRoomItWaitsUntilThereIsSome) {
  TempFolder folder;
  RandomRecords random(10);
  auto journal = Open(folder.path(), {.retry_delay = std::chrono::milliseconds(1)});
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal, job).ok());
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 1;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  Status refused = Accept(*journal, random.New());
  random.Ended(&job);
  test::CommitCall ended;
  const bool later = !test::Note(*journal, job, &ended).has_value();
  while (journal->Stats().open_errors < 3) std::this_thread::yield();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(refused.reason(), "STORE_FAILED");
  ASSERT_TRUE(later);
  EXPECT_TRUE(ended.Await().ok());
  journal.reset();
  journal = Open(folder.path());
  EXPECT_EQ(Remembered(*journal), (std::map<JobId, std::string>{{job.id, Print(job)}}));
}

}  // namespace
}  // namespace millrace::store
