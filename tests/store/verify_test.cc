#include "store/tools/verify.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/store/verify_fixture.h"
#include "tests/support/store_files.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
using test::FilesOf;

TEST_F(VerifyTest, ASoundStoreHasNoProblems) {
  const auto before = FilesOf(folder.path());
  const VerifyReport report = Check();
  EXPECT_EQ(report.problem_count(), 0);
  EXPECT_TRUE(report.first.empty());
  EXPECT_FALSE(report.cut_short);
  EXPECT_EQ(report.jobs, 10);
  EXPECT_EQ(report.spent_request_ids, 1);
  EXPECT_EQ(report.records, 10 + 10 + 4 + 2 + 1)
      << "specs, states, payloads; of the job that ended what retention knows, "
         "and its request id; the one that is spent";
  EXPECT_TRUE(FilesOf(folder.path()) == before) << "nothing on the disk has changed";
}

TEST_F(VerifyTest, AJobThatWasRetriedIsSoundWithTheRequestIdThatItKeeps) {
  const dispatch::EndedJob was = EndedOf(jobs[0]);
  random.Live(&jobs[0]);
  {
    auto journal = test::OpenJournal(Store(), {});
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE(test::Revive(**journal, jobs[0], was).ok());
  }
  EXPECT_EQ(Check().problem_count(), 0);
}

TEST_F(VerifyTest, NamesAJobThatLivesAndHasEnded) {
  random.Live(&jobs[0]);
  Write({{kPut, Shelf::kLive, Key(0), StateOf(0)}});
  const Finding found = TheOnly(Problem::kTwoStates);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "live+finished");
}

TEST_F(VerifyTest, NamesARecordThatIsNotWhatWasWritten) {
  std::string state = StateOf(3);
  state.back() ^= 1;
  Write({{kPut, Shelf::kLive, Key(3), state}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.key, jobs[3].id.ToString());
  EXPECT_EQ(found.shelf, "spec+live");
  EXPECT_NE(found.what.find("checksum"), std::string::npos) << found.what;
}

TEST_F(VerifyTest, NamesARecordUnderAnothersKey) {
  Write({{kPut, Shelf::kLive, Key(3), StateOf(4)}});
  EXPECT_EQ(TheOnly(Problem::kRecord).key, jobs[3].id.ToString());
}

TEST_F(VerifyTest, NamesASpecWithoutAState) {
  Write({{kErase, Shelf::kLive, Key(3), {}}});
  const Finding found = TheOnly(Problem::kNoState);
  EXPECT_EQ(found.key, jobs[3].id.ToString());
  EXPECT_EQ(found.shelf, "spec");
}

TEST_F(VerifyTest, NamesAStateWithoutASpec) {
  Write({{kErase, Shelf::kSpec, Key(0), {}}});
  const Finding found = TheOnly(Problem::kNoSpec);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "finished");
}

TEST_F(VerifyTest, NamesAStateOnTheWrongShelf) {
  Write({{kErase, Shelf::kFinished, Key(0), {}}, {kPut, Shelf::kLive, Key(0), StateOf(0)}});
  const Finding found = TheOnly(Problem::kWrongShelf);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "live");
}

TEST_F(VerifyTest, NamesAKeyThatIsNoJobId) {
  Write({{kPut, Shelf::kFinished, "short", "x"}});
  const Finding found = TheOnly(Problem::kKey);
  EXPECT_EQ(found.key, "0x73686f7274");
  EXPECT_EQ(found.shelf, "finished");
}

TEST_F(VerifyTest, NamesARequestIdWhoseRecordIsDamaged) {
  Write({{kPut, Shelf::kRequests, "mine", "not what was written"}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.key, "mine");
  EXPECT_EQ(found.shelf, "requests");
}

TEST_F(VerifyTest, NamesAPayloadThatIsNotThere) {
  Write({{kErase, Shelf::kPayload, Key(1), {}}});
  const Finding found = TheOnly(Problem::kNoPayload);
  EXPECT_EQ(found.key, jobs[1].id.ToString());
  EXPECT_EQ(found.what, "its payload of 700 bytes is not there");
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(ReadJob(**store, jobs[1].id).status().reason(), "STORE_DAMAGED");
}

TEST_F(VerifyTest, NamesAPayloadThatIsNotWhatWasWritten) {
  std::string payload = EncodePayload(jobs[0].id, SpecOf(jobs[0]));
  payload.back() ^= 1;
  Write({{kPut, Shelf::kPayload, Key(0), payload}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "spec+payload");
}

TEST_F(VerifyTest, NamesAPayloadOfNoJob) {
  Write({{kPut, Shelf::kPayload, KeyOf({1, 2}), EncodePayload({1, 2}, SpecOf(jobs[1]))}});
  const Finding found = TheOnly(Problem::kNoSpec);
  EXPECT_EQ(found.key, (JobId{1, 2}).ToString());
  EXPECT_EQ(found.shelf, "payload");
}

TEST_F(VerifyTest, NamesAPayloadThatIsThereTwice) {
  Write({{kPut, Shelf::kPayload, Key(2), EncodePayload(jobs[2].id, SpecOf(jobs[2]))}});
  const Finding found = TheOnly(Problem::kMismatch);
  EXPECT_EQ(found.key, jobs[2].id.ToString());
  EXPECT_EQ(found.shelf, "spec+payload");
}

TEST_F(VerifyTest, NamesAJobThatRetentionDoesNotKnow) {
  Write({{kErase, Shelf::kEnded, KeyOfEnded(EndedOf(jobs[0])), {}}});
  const Finding found = TheOnly(Problem::kNoEnded);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "finished");
}

TEST_F(VerifyTest, NamesWhatRetentionKnowsOfNoJob) {
  Write({PutEnded({.id = {1, 2}, .finished = WallTime(Nanos(5))})});
  const Finding found = TheOnly(Problem::kNoJob);
  EXPECT_EQ(found.key, (JobId{1, 2}).ToString());
  EXPECT_EQ(found.shelf, "ended");
}

TEST_F(VerifyTest, NamesWhatRetentionKnowsOfAJobThatLives) {
  Write({PutEnded({.id = jobs[3].id, .finished = WallTime(Nanos(5))})});
  EXPECT_EQ(TheOnly(Problem::kNoJob).key, jobs[3].id.ToString());
}

TEST_F(VerifyTest, NamesAnEndAtAnotherTime) {
  dispatch::EndedJob ended = EndedOf(jobs[0]);
  const std::string key = KeyOfEnded(ended);
  ended.finished = WallTime(ended.finished.time_since_epoch() / 2 + Nanos(1));
  Write({{kErase, Shelf::kEnded, key, {}}, PutEnded(ended)});
  EXPECT_EQ(Problems(), (std::vector{Problem::kNoEnded, Problem::kNoJob}));
}

TEST_F(VerifyTest, NamesAnEndInAnotherStateOrOfAnotherSize) {
  for (const bool size : {false, true}) {
    dispatch::EndedJob ended = EndedOf(jobs[0]);
    if (size) {
      ++ended.bytes;
    } else {
      ended.state = ended.state == JobState::kFailed ? JobState::kExpired : JobState::kFailed;
    }
    Write({PutEnded(ended)});
    const Finding found = TheOnly(Problem::kMismatch);
    EXPECT_EQ(found.key, jobs[0].id.ToString());
    EXPECT_EQ(found.shelf, "finished+ended");
  }
}

TEST_F(VerifyTest, NamesARequestIdThatIsForgottenBeforeItsJob) {
  Write({{kErase, Shelf::kRequests, jobs[0].request_id, {}}});
  EXPECT_EQ(TheOnly(Problem::kNoRequest).key, jobs[0].id.ToString());
}

TEST_F(VerifyTest, NamesARequestIdOfNoJob) {
  Write({PutRequest({.request_id = "mine", .job = {1, 2}})});
  const Finding found = TheOnly(Problem::kNoJob);
  EXPECT_EQ(found.key, "mine");
  EXPECT_EQ(found.shelf, "requests");
}

TEST_F(VerifyTest, NamesARequestIdThatItsJobDoesNotHave) {
  Write({PutRequest({.request_id = "mine", .job = jobs[0].id, .final_state = jobs[0].life.state})});
  EXPECT_EQ(TheOnly(Problem::kNoJob).key, "mine");
}

TEST_F(VerifyTest, NamesARequestIdThatDiffersFromItsJob) {
  std::vector<dispatch::SpentRequest> wrong(4, RequestOf(0));
  wrong[0].until = WallTime();
  *wrong[1].fingerprint ^= 1;
  wrong[2].final_state = JobState::kQueued;
  wrong[3].job = {1, 2};
  wrong[3].until = WallTime();
  for (const dispatch::SpentRequest& request : wrong) {
    SCOPED_TRACE(&request - wrong.data());
    Write({PutRequest(request)});
    const Finding found = TheOnly(Problem::kMismatch);
    EXPECT_EQ(found.key, jobs[0].id.ToString());
    EXPECT_EQ(found.shelf, "finished+requests");
  }
  Write({PutRequest(RequestOf(0)), PutRequest([this] {
           dispatch::SpentRequest spent = RequestOf(3);
           spent.until = WallTime();
           return spent;
         }())});
  EXPECT_EQ(TheOnly(Problem::kMismatch).shelf, "live+requests");
}

TEST_F(VerifyTest, NamesAnEndThatIsNotWhatWasWritten) {
  const dispatch::EndedJob ended = EndedOf(jobs[0]);
  Write({{kPut, Shelf::kEnded, KeyOfEnded(ended), "not what was written"}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.shelf, "ended");
}

// What each hides of the others is not taken for damage of theirs.
TEST_F(VerifyTest, OneRecordThatCannotBeReadIsOneProblem) {
  Write({{kPut, Shelf::kFinished, Key(0), "not what was written"}});
  EXPECT_EQ(TheOnly(Problem::kRecord).shelf, "spec+finished");
  Write({{kPut, Shelf::kFinished, Key(0), StateOf(0)}, {kPut, Shelf::kSpec, Key(0), "not what was written"}});
  EXPECT_EQ(TheOnly(Problem::kRecord).shelf, "spec+finished");
}

TEST_F(VerifyTest, CountsEachOfManyThatBelongToNoJob) {
  std::vector<Change> changes;
  for (uint64_t i = 0; i < 500; ++i) {
    changes.push_back(PutEnded({.id = {1, i}, .finished = WallTime(Nanos(i))}));
    changes.push_back(PutRequest({.request_id = "of none " + std::to_string(i), .job = {1, i}}));
  }
  Write(changes);
  const VerifyReport report = Check(3);
  EXPECT_EQ(report.problems[static_cast<size_t>(Problem::kNoJob)], 1000);
  EXPECT_EQ(report.problem_count(), 1000);
  EXPECT_EQ(report.first.size(), 3u);
}

TEST_F(VerifyTest, CountsAllProblemsAndNamesTheFirst) {
  std::vector<Change> changes;
  for (size_t job = 1; job < 8; ++job) changes.push_back({kErase, Shelf::kLive, Key(job), {}});
  Write(changes);
  const VerifyReport report = Check(3);
  EXPECT_EQ(report.problems[static_cast<size_t>(Problem::kNoState)], 7);
  EXPECT_EQ(report.first.size(), 3u);
}

TEST_F(VerifyTest, NamesAJobToInspectAsUnreadable) {
  Write({{kErase, Shelf::kLive, Key(3), {}}});
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  const Inspection seen = Inspect(**store);
  EXPECT_EQ(seen.unreadable, 1);
  EXPECT_EQ(seen.job_count(), 10);
  EXPECT_EQ(ReadJob(**store, jobs[3].id).status().reason(), "STORE_DAMAGED");
}

// Any byte of any file: a report that says damaged, or one that says sound and is right, since every job is as it was
// written. Never anything else, and nothing on the disk changes.
TEST_F(VerifyTest, AFlippedBitAnywhereIsFoundOrMakesNoDifference) {
  test::OpenJournal(Store(), {}).value().reset();  // What was in the log lies in tables.
  {
    auto journal = test::OpenJournal(Store(), {});
    ASSERT_TRUE(journal.ok());
    for (int i = 0; i < 10; ++i) {
      jobs.push_back(random.New());
      ASSERT_TRUE(Accept(**journal, jobs.back()).ok());
    }
  }
  std::vector<fs::path> files(fs::directory_iterator(Store()), fs::directory_iterator{});
  const std::string original = folder / "original";
  fs::rename(Store(), original);
  int damaged = 0, sound = 0;
  for (const fs::path& file : files) {
    const std::string name = file.filename();
    const std::string bytes = test::ReadFile(original + "/" + name);
    for (int round = 0; !bytes.empty() && round < 10; ++round) {
      fs::remove_all(Store());
      fs::copy(original, Store());
      std::string flipped = bytes;
      // The end of the log may be cut off: a crash does that.
      const size_t at = random.Below(name.ends_with(".log") ? bytes.size() / 2 : bytes.size());
      flipped[at] ^= static_cast<char>(1u << random.Below(8));
      test::WriteFile(file, flipped);
      const auto before = FilesOf(Store());
      const Result<VerifyReport> report = Verify(folder.path(), 10);
      EXPECT_TRUE(FilesOf(Store()) == before);
      if (!report.ok()) {
        EXPECT_FALSE(report.status().message().empty());
        ++damaged;
      } else if (report->problem_count() > 0) {
        EXPECT_FALSE(report->first.empty());
        ++damaged;
      } else {
        ++sound;
        EXPECT_EQ(report->jobs, static_cast<int64_t>(jobs.size())) << name << " byte " << at;
        auto store = StoreReader::Open(folder.path());
        ASSERT_TRUE(store.ok());
        for (const JobRecord& job : jobs) {
          const Result<JobSnapshot> read = ReadJob(**store, job.id);
          ASSERT_TRUE(read.ok()) << name << " byte " << at;
          EXPECT_EQ(PayloadOf(*read->spec), PayloadOf(*job.spec));
          EXPECT_EQ(read->state, job.life.state);
        }
      }
    }
  }
  EXPECT_GT(damaged, 20) << sound << " sound";
  EXPECT_GT(sound, 0) << "OPTIONS and IDENTITY hold nothing of ours";
}

TEST_F(VerifyTest, ATableThatCannotBeReadIsOneProblemAndInspectSaysWhatItCan) {
  test::OpenJournal(Store(), {}).value().reset();
  std::vector<fs::path> files(fs::directory_iterator(Store()), fs::directory_iterator{});
  std::erase_if(files, [](const fs::path& file) { return file.extension() != ".sst"; });
  std::sort(files.begin(), files.end());  // By shelf: the format, then as in Shelf.
  ASSERT_EQ(files.size(), kShelves) << "one for each shelf but that of large results, and the format's";
  auto flip = [](const fs::path& file) {
    std::string bytes = test::ReadFile(file);
    bytes[10] ^= 1;
    test::WriteFile(file, bytes);
  };
  for (const fs::path& file : files) {
    if (file == files[0]) continue;
    flip(file);
    const Finding found = TheOnly(Problem::kFile);
    EXPECT_NE(found.what.find(file.filename().string()), std::string::npos) << found.what;
    flip(file);
  }
  EXPECT_EQ(Check().problem_count(), 0);
  flip(files[4]);
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  const Inspection seen = Inspect(**store);
  EXPECT_EQ(seen.cut_short.reason(), "STORE_DAMAGED");
  EXPECT_EQ(seen.job_count(), 10);
  EXPECT_EQ(seen.spent_request_ids, 0);
}

TEST_F(VerifyTest, ALostTableIsAReport) {
  test::OpenJournal(Store(), {}).value().reset();
  std::vector<fs::path> files(fs::directory_iterator(Store()), fs::directory_iterator{});
  std::erase_if(files, [](const fs::path& file) { return file.extension() != ".sst"; });
  ASSERT_FALSE(files.empty());
  fs::remove(files[0]);
  const VerifyReport report = Check();
  EXPECT_GT(report.problems[static_cast<size_t>(Problem::kFile)], 0);
  EXPECT_TRUE(report.cut_short);
  ASSERT_FALSE(report.first.empty());
  EXPECT_NE(report.first[0].what.find(files[0].stem().string()), std::string::npos) << report.first[0].what;
}

TEST_F(VerifyTest, WhatCannotBeCheckedIsAnError) {
  EXPECT_EQ(Verify(folder / "nothing", 1).status().reason(), "STORE_NOT_FOUND");
}

}  // namespace
}  // namespace millrace::store
