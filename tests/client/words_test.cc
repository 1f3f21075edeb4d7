#include "client/words.h"

#include <gtest/gtest.h>

#include "millrace/v1/job_service.pb.h"
#include "millrace/v1/pool_service.pb.h"

namespace millrace::client {
namespace {

TEST(Word, IsTheNameWithoutThePrefix) {
  EXPECT_EQ(Word(v1::JOB_STATE_QUEUED), "QUEUED");
  EXPECT_EQ(Word(v1::BAND_HIGH), "HIGH");
  EXPECT_EQ(Word(v1::ATTEMPT_RESULT_TIMED_OUT), "TIMED_OUT");
  EXPECT_EQ(Word(v1::Pool::STATE_DRAINED), "DRAINED");
  EXPECT_EQ(Word(v1::UniqueKey::ON_TAKEN_RETURN_EXISTING), "RETURN_EXISTING");
  EXPECT_EQ(Word(static_cast<v1::JobState>(77)), "UNKNOWN_77");
}

TEST(ParseWord, TakesAnyCaseAndNothingElse) {
  v1::JobState state{};
  EXPECT_TRUE(ParseWord("queued", &state));
  EXPECT_EQ(state, v1::JOB_STATE_QUEUED);
  v1::Band band{};
  EXPECT_TRUE(ParseWord("Low", &band));
  EXPECT_EQ(band, v1::BAND_LOW);
  for (const char* word : {"", "unspecified", "JOB_STATE_QUEUED", "queue", "queued "}) {
    EXPECT_FALSE(ParseWord(word, &state)) << word;
  }
}

}  // namespace
}  // namespace millrace::client
