// The journal on a disk that does what the test says. rocks_disk_test.cc has the real one.
#include "tests/store/disk_journal_fixture.h"

namespace millrace::store {
namespace {

TEST_F(DiskJournalTest, WhatComesWhileTheDiskIsBusySharesOneFsync) {
  Open();
  platter.Hold(true);
  std::vector<JobRecord> records;
  for (int i = 0; i < 101; ++i) records.push_back(random.New());
  std::vector<CommitCall> calls(records.size());
  Note(records[0], &calls[0]);
  platter.AwaitWrite();
  for (size_t i = 1; i < records.size(); ++i) Note(records[i], &calls[i]);
  platter.Hold(false);
  for (CommitCall& call : calls) EXPECT_TRUE(call.Await().ok());
  EXPECT_EQ(platter.Count(&Platter::writes), 2);
  EXPECT_EQ(platter.Count(&Platter::syncs), 2);
  EXPECT_EQ(journal_->Stats().fsync_seconds.count(), 2u);
  EXPECT_EQ(OnDisk().size(), records.size());
}

TEST_F(DiskJournalTest, AnswersComeInTheOrderOfTheCalls) {
  struct Numbered final : Journal::Waiter {
    Numbered(std::vector<int>& out, int n) : order(out), number(n) {}
    void OnCommitted(const Status&) override { order.push_back(number); }
    std::vector<int>& order;
    const int number;
  };
  Open();
  std::vector<int> order;
  std::vector<std::unique_ptr<Numbered>> waiters;
  for (int i = 0; i < 500; ++i) {
    waiters.push_back(std::make_unique<Numbered>(order, i));
    Note(random.New(), waiters.back().get());
  }
  journal_->Stop();
  ASSERT_EQ(order.size(), 500u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(DiskJournalTest, ABatchOfMoreThanTheDiskTakesAtOnceIsNotTorn) {
  Open();
  // One call of 12 MiB, more than one write is meant to have.
  std::vector<JobRecord> records;
  for (int i = 0; i < 12; ++i) {
    JobSpec spec;
    spec.payload = MakeBytes(std::string(size_t{1} << 20, 'x'));
    records.push_back({.id = {1, static_cast<uint64_t>(i)}, .spec = std::make_shared<const JobSpec>(spec)});
  }
  std::vector<const JobRecord*> pointers;
  for (const JobRecord& record : records) pointers.push_back(&record);
  platter.FailNext(1);
  EXPECT_EQ(test::Append(*journal_, pointers, test::Accepting::kYes).reason(), "DISK_FULL");
  EXPECT_EQ(OnDisk().size(), 0u);
  while (!journal_->Health().ok()) std::this_thread::yield();
  EXPECT_TRUE(test::Append(*journal_, pointers, test::Accepting::kYes).ok());
  EXPECT_EQ(OnDisk().size(), 12u);
}

TEST_F(DiskJournalTest, AFailedSubmitIsNowhereAlsoWhenItReachedTheDisk) {
  Open();
  const JobRecord first = random.New(), second = random.New();
  ASSERT_TRUE(Accept(*journal_, first).ok());
  platter.FailNext(1, /*after_writing=*/true);
  EXPECT_EQ(Accept(*journal_, second).reason(), "DISK_FULL");
  const auto jobs = OnDisk();
  EXPECT_EQ(jobs.size(), 1u);
  EXPECT_TRUE(jobs.contains(first.id));
}

TEST_F(DiskJournalTest, AFullDiskStopsNewJobsAndLosesNone) {
  Open();
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  platter.FailNext(3);
  {
    std::lock_guard guard(platter.lock);
    platter.reopen_failures = 3;
  }
  platter.Hold(true);
  random.Ended(&job);
  CommitCall ended;
  Note(job, &ended, test::Accepting::kNo);
  platter.AwaitWrite();
  CommitCall refused;
  Note(random.New(), &refused);
  platter.Hold(false);
  EXPECT_EQ(refused.Await().reason(), "DISK_FULL");
  EXPECT_TRUE(ended.Await().ok()) << "it waited until the disk had room";
  while (!journal_->Health().ok()) std::this_thread::yield();
  EXPECT_EQ(journal_->Stats().write_errors, 3u);
  EXPECT_EQ(journal_->Stats().open_errors, 3u);
  EXPECT_FALSE(journal_->Stats().failing);
  EXPECT_TRUE(Accept(*journal_, random.New()).ok());
  const auto jobs = OnDisk();
  EXPECT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs.at(job.id), Print(job));
}

TEST_F(DiskJournalTest, WhileTheDiskFailsASubmitIsRefusedAtOnceAndTheNewestStateIsKept) {
  Open({.retry_delay = std::chrono::hours(1)});
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  platter.FailNext(1);
  EXPECT_FALSE(Accept(*journal_, random.New()).ok());
  const JobRecord late = random.New();
  const JobRecord* one = &late;
  std::optional<Status> answer = test::Append(*journal_, std::span(&one, 1), test::Accepting::kYes, nullptr);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->reason(), "DISK_FULL");
  EXPECT_EQ(journal_->Health().reason(), "DISK_FULL");
  const JobRecord gone = random.New();
  for (int i = 0; i < 100; ++i) {
    random.Live(&job);
    Note(job, nullptr, test::Accepting::kNo);
  }
  // Stop tries once more instead of waiting for the hour to pass.
  const int before = platter.Count(&Platter::writes);
  const auto jobs = OnDisk();
  EXPECT_EQ(platter.Count(&Platter::writes), before + 1);
  EXPECT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs.at(job.id), Print(job));
}

// The batch that fails has two changes of one job, of which the newer one is enough.
TEST_F(DiskJournalTest, ASubmitThatWasNeverTriedIsRefusedAndNothingOfItIsErased) {
  for (const bool more_behind : {false, true}) {
    SCOPED_TRACE(more_behind);
    Open();
    JobRecord job = random.New(), other = random.New();
    ASSERT_TRUE(Accept(*journal_, job).ok());
    ASSERT_TRUE(Accept(*journal_, other).ok());
    platter.FailNext(1);
    platter.Hold(true);
    dispatch::Batch batch;
    random.Live(&job);
    const JobRecord older = job;
    batch.Change(older);
    batch.Close(nullptr);
    random.Live(&job);
    batch.Change(job);
    CommitCall changed, refused;
    batch.Close(&changed);
    journal_->Commit(batch);
    platter.AwaitWrite();
    const JobRecord first = random.New(), second = random.New();
    const JobRecord* both[] = {&first, &second};
    EXPECT_FALSE(test::Append(*journal_, both, test::Accepting::kYes, &refused).has_value());
    random.Live(&other);
    if (more_behind) Note(other, nullptr, test::Accepting::kNo);
    const uint64_t before = journal_->Stats().commit_seconds.count(), position = platter.Position();
    platter.Hold(false);
    EXPECT_EQ(refused.Await().reason(), "DISK_FULL");
    EXPECT_TRUE(changed.Await().ok());
    while (!journal_->Health().ok()) std::this_thread::yield();
    EXPECT_EQ(journal_->Stats().commit_seconds.count(), before + 1) << "one batch has it all";
    EXPECT_EQ(platter.Position(), position + (more_behind ? 2 : 1)) << "what was never on the disk was erased";
    const auto jobs = OnDisk();
    EXPECT_EQ(jobs.at(job.id), Print(job));
    EXPECT_FALSE(jobs.contains(first.id) || jobs.contains(second.id));
  }
}

TEST_F(DiskJournalTest, AFlushIsAnsweredWhenWhatCameBeforeItIsCommitted) {
  Open();
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  CommitCall idle, flush;
  const int writes = platter.Count(&Platter::writes), syncs = platter.Count(&Platter::syncs);
  test::Flush(*journal_, &idle);
  EXPECT_TRUE(idle.Await().ok());
  EXPECT_EQ(platter.Count(&Platter::writes), writes) << "there is nothing to be written";
  EXPECT_EQ(platter.Count(&Platter::syncs), syncs);
  platter.FailNext(2);
  random.Live(&job);
  Note(job, nullptr, test::Accepting::kNo);
  test::Flush(*journal_, &flush);
  EXPECT_TRUE(flush.Await().ok()) << "when the disk works again";
  EXPECT_EQ(platter.Count(&Platter::failures), 0);
  auto read = journal_->Read(job.id, Journal::Part::kWhole);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(Print(**read), Print(job));
}

TEST_F(DiskJournalTest, AFailedFsyncRefusesWhatItWasForAndIsNeverRepeated) {
  Open();
  ASSERT_TRUE(Accept(*journal_, random.New()).ok());
  // The write goes well, and its fsync does not: the first failure is not used up by the write.
  platter.FailNextSync();
  const JobRecord refused = random.New();
  EXPECT_EQ(Accept(*journal_, refused).reason(), "STORE_FAILED");
  while (!journal_->Health().ok()) std::this_thread::yield();
  EXPECT_EQ(journal_->Stats().sync_errors, 1u);
  EXPECT_EQ(journal_->Stats().write_errors, 0u);
  EXPECT_EQ(platter.Count(&Platter::reopens), 1) << "FakeDisk tells of any use before";
  const auto jobs = OnDisk();
  EXPECT_EQ(jobs.size(), 1u);
  EXPECT_FALSE(jobs.contains(refused.id));
}

TEST_F(DiskJournalTest, WhatTurnsOutToBeDamagedStaysClosed) {
  Open();
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  {
    std::lock_guard guard(platter.lock);
    platter.reopen_says = Internal("STORE_DAMAGED", "damaged");
  }
  platter.FailNext(1);
  EXPECT_EQ(Accept(*journal_, random.New()).reason(), "DISK_FULL");
  while (journal_->Health().reason() != "STORE_DAMAGED") std::this_thread::yield();
  random.Ended(&job);
  Note(job, nullptr, test::Accepting::kNo);
  {
    std::lock_guard guard(platter.lock);
    platter.reopen_says = OkStatus();
  }
  journal_->Stop();
  EXPECT_EQ(platter.Count(&Platter::reopens), 1) << "it is not touched again, also when it looks well later";
  EXPECT_EQ(journal_->Health().reason(), "STORE_DAMAGED");
}

TEST_F(DiskJournalTest, ADiskThatComesBackWithoutWhatItHadKeptStaysClosed) {
  Open();
  ASSERT_TRUE(Accept(*journal_, random.New()).ok());
  ASSERT_TRUE(Accept(*journal_, random.New()).ok());
  platter.FailNext(1);
  {
    std::lock_guard guard(platter.lock);
    platter.position -= 1;
  }
  EXPECT_FALSE(Accept(*journal_, random.New()).ok());
  while (journal_->Health().reason() != "STORE_DAMAGED") std::this_thread::yield();
  EXPECT_NE(journal_->Health().message().find("the platter"), std::string::npos);
}

TEST_F(DiskJournalTest, WhereAnotherDaemonOwnsTheDiskEveryRecordFailsAndNothingIsTriedAgain) {
  Open();
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  platter.GiveToAnother();
  const int writes = platter.Count(&Platter::writes);
  EXPECT_EQ(Accept(*journal_, random.New()).reason(), dispatch::kNotOwner);
  EXPECT_EQ(journal_->Health().reason(), dispatch::kNotOwner);
  random.Ended(&job);
  EXPECT_EQ(test::Change(*journal_, job).reason(), dispatch::kNotOwner);
  CommitCall flush;
  test::Flush(*journal_, &flush);
  EXPECT_EQ(flush.Await().reason(), dispatch::kNotOwner);
  journal_->Stop();
  EXPECT_EQ(platter.Count(&Platter::writes), writes + 1);
  EXPECT_EQ(platter.Count(&Platter::reopens), 0);
}

TEST_F(DiskJournalTest, WhatAFailureLeftToBeWrittenFailsWhereAnotherDaemonTookTheDiskMeanwhile) {
  Open();
  JobRecord job = random.New();
  ASSERT_TRUE(Accept(*journal_, job).ok());
  platter.Hold(true);
  platter.FailNext(1);
  random.Ended(&job);
  CommitCall ended;
  Note(job, &ended, test::Accepting::kNo);
  platter.AwaitWrite();
  {
    std::lock_guard guard(platter.lock);
    platter.reopen_says = FailedPrecondition("NOT_OWNER", "another daemon owns the platter");
  }
  platter.Hold(false);
  EXPECT_EQ(ended.Await().reason(), dispatch::kNotOwner);
  EXPECT_EQ(journal_->Health().reason(), dispatch::kNotOwner);
  journal_->Stop();
  EXPECT_EQ(platter.Count(&Platter::reopens), 1);
}

TEST_F(DiskJournalTest, TroubleInTheBackgroundIsToldAlsoWhenNobodyWrites) {
  Open({.retry_delay = std::chrono::hours(1)});
  std::vector<std::string> told;
  std::mutex lock;
  std::condition_variable changed;
  journal_->WatchHealth([&](const Status& status) {
    std::lock_guard guard(lock);
    told.push_back(status.ok() ? "well" : status.reason());
    changed.notify_all();
  });
  platter.FailNextSync();
  platter.trouble();
  std::unique_lock guard(lock);
  changed.wait(guard, [&] { return told.size() == 2; });
  EXPECT_EQ(told, (std::vector<std::string>{"well", "STORE_FAILED"}));
  guard.unlock();
  EXPECT_TRUE(journal_->Stats().failing);
  EXPECT_EQ(journal_->Stats().background_errors, 1u);
  journal_->Stop();  // Tries once more.
  EXPECT_EQ(told.back(), "well");
  journal_->WatchHealth({});
}

TEST_F(DiskJournalTest, TroubleInTheBackgroundIsToldAlsoWhereOnlyAFlushComesWithIt) {
  Open({.durability = Durability::kNone, .retry_delay = std::chrono::hours(1)});
  std::vector<std::string> told;  // By the journal's thread, until Stop.
  journal_->WatchHealth([&](const Status& status) { told.push_back(status.ok() ? "well" : status.reason()); });
  platter.Hold(true);
  Note(random.New(), nullptr);
  platter.AwaitWrite();
  // Both come while it writes, so it finds them together.
  CommitCall flush;
  test::Flush(*journal_, &flush);
  platter.FailNextSync();
  platter.trouble();
  platter.Hold(false);
  journal_->Stop();
  EXPECT_TRUE(flush.Await().ok());
  EXPECT_EQ(told, (std::vector<std::string>{"well", "STORE_FAILED", "well"}));
  journal_->WatchHealth({});
}

TEST_F(DiskJournalTest, StopGivesUpOnADiskThatStaysBroken) {
  Open({.retry_delay = std::chrono::hours(1)});
  platter.FailNext(1'000'000);
  EXPECT_FALSE(Accept(*journal_, random.New()).ok());
  journal_->Stop();
  EXPECT_FALSE(journal_->Health().ok());
}

TEST_F(DiskJournalTest, AnIntervalAnswersWithoutAnFsyncAndSyncsByItself) {
  Open({.durability = Durability::kInterval, .interval = kSoon, .retry_delay = kSoon});
  EXPECT_EQ(journal_->durability(), Durability::kInterval);
  ASSERT_TRUE(Accept(*journal_, random.New()).ok());
  {
    std::unique_lock guard(platter.lock);
    platter.changed.wait(guard, [&] { return platter.syncs > 0; });
  }
  EXPECT_LE(platter.Count(&Platter::syncs), 1);
  platter.FailNext(1);
  JobRecord job = random.New();
  auto failures = [&] { return journal_->Stats().write_errors + journal_->Stats().sync_errors; };
  while (!Accept(*journal_, job).ok() || failures() == 0) job = random.New();
  journal_->Stop();
  EXPECT_GE(platter.Count(&Platter::reopens), 1);
}

TEST_F(DiskJournalTest, ModeNoneNeverAsksForAnFsyncUntilTheEnd) {
  Open({.durability = Durability::kNone});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Accept(*journal_, random.New()).ok());
  EXPECT_EQ(platter.Count(&Platter::syncs), 0);
  journal_->Stop();
  EXPECT_EQ(platter.Count(&Platter::syncs), 1);
}

TEST_F(DiskJournalTest, DamageIsToldAtLoad) {
  Open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Accept(*journal_, random.New()).ok());
  journal_->Stop();
  platter.shelves[static_cast<size_t>(Shelf::kLive)].begin()->second.back() ^= 1;
  Open();
  EXPECT_EQ(journal_->Load([](JobRecord) {}).reason(), "STORE_DAMAGED");
}

}  // namespace
}  // namespace millrace::store
