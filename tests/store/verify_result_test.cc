// Large results that do not check out. Job 3 has one, and then something is wrong with it.
#include <gtest/gtest.h>

#include <string>

#include "store/record.h"
#include "tests/store/verify_fixture.h"

namespace millrace::store {
namespace {

class VerifyResultTest : public VerifyTest {
 protected:
  void SetUp() override {
    VerifyTest::SetUp();
    random.Ended(&jobs[3]);
    SetResult(MakeBytes(std::string(size_t{2} << 20, 'r')), &jobs[3]);
    auto journal = test::OpenJournal(Store(), {});
    EXPECT_TRUE(test::Change(**journal, jobs[3]).ok());
  }
  std::string ResultOf(size_t job) const { return EncodeResult(jobs[job].id, jobs[job].result); }
};

TEST_F(VerifyResultTest, FindsNothingWrongWithIt) {
  const VerifyReport report = Check();
  EXPECT_EQ(report.problem_count(), 0);
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  const Result<JobSnapshot> job = ReadJob(**store, jobs[3].id);
  ASSERT_TRUE(job.ok()) << job.status().ToString();
  EXPECT_EQ(job->result_bytes, int64_t{2} << 20);
  EXPECT_TRUE(job->result != nullptr && *job->result == *jobs[3].result) << "whoever looks at one job gets all of it";
}

TEST_F(VerifyResultTest, NamesOneThatIsNotThere) {
  Write({{kErase, Shelf::kResult, Key(3), {}}});
  const Finding found = TheOnly(Problem::kNoResult);
  EXPECT_EQ(found.key, jobs[3].id.ToString());
  EXPECT_EQ(found.what, "its result of 2097152 bytes is not there");
  auto store = StoreReader::Open(folder.path());
  ASSERT_TRUE(store.ok());
  EXPECT_EQ(ReadJob(**store, jobs[3].id).status().reason(), "STORE_DAMAGED");
}

TEST_F(VerifyResultTest, NamesOneThatIsNotWhatWasWritten) {
  std::string result = ResultOf(3);
  result.back() ^= 1;
  Write({{kPut, Shelf::kResult, Key(3), result}});
  const Finding found = TheOnly(Problem::kRecord);
  EXPECT_EQ(found.key, jobs[3].id.ToString());
  EXPECT_EQ(found.shelf, "finished+result");
}

TEST_F(VerifyResultTest, NamesOneOfNoJob) {
  Write({{kPut, Shelf::kResult, KeyOf({1, 2}), EncodeResult({1, 2}, jobs[3].result)}});
  const Finding found = TheOnly(Problem::kNoSpec);
  EXPECT_EQ(found.key, (JobId{1, 2}).ToString());
  EXPECT_EQ(found.shelf, "result");
  EXPECT_EQ(found.what, "a result without a spec");
}

TEST_F(VerifyResultTest, NamesOneOfAJobThatHasNone) {
  Write({{kPut, Shelf::kResult, Key(0), EncodeResult(jobs[0].id, jobs[3].result)}});
  const Finding found = TheOnly(Problem::kMismatch);
  EXPECT_EQ(found.key, jobs[0].id.ToString());
  EXPECT_EQ(found.shelf, "finished+result");
}

}  // namespace
}  // namespace millrace::store
