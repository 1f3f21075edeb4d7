#include "base/status.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

Status Full() {
  return ResourceExhausted("QUEUE_FULL", "pool 'a' is full")
      .Field("spec.pool")
      .With("pool", "a")
      .With("depth", 7)
      .RetryAfter(std::chrono::milliseconds(50));
}

TEST(Status, CarriesItsStory) {
  Status status = Full();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.reason(), "QUEUE_FULL");
  EXPECT_EQ(status.field(), "spec.pool");
  EXPECT_EQ(status.metadata().at("depth"), "7");
  EXPECT_EQ(status.retry_delay(), std::chrono::milliseconds(50));
  EXPECT_EQ(status.ToString(), "RESOURCE_EXHAUSTED QUEUE_FULL: pool 'a' is full");
}

TEST(Status, OkIsEmptyAndCheap) {
  Status ok;
  EXPECT_TRUE(ok.ok());
  EXPECT_EQ(ok.ToString(), "OK");
  EXPECT_EQ(ok.message(), "");
  EXPECT_TRUE(ok.metadata().empty());
  EXPECT_FALSE(ok.retry_delay().has_value());
  EXPECT_EQ(sizeof(Status), sizeof(void*));
  EXPECT_TRUE(Status(StatusCode::kOk, "X", "ignored").ok());
}

TEST(Status, ACopyIsAsGoodAsTheOriginal) {
  Status original = Full();
  Status copy = original;
  original = OkStatus();
  EXPECT_TRUE(original.ok());
  EXPECT_EQ(copy.metadata().at("pool"), "a");
  copy = Status(copy);
  EXPECT_EQ(copy.reason(), "QUEUE_FULL");
}

TEST(Result, IsAValueOrTheReasonThereIsNone) {
  Result<int> good = 7;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 7);
  Result<int> bad = NotFound("NO_SEVEN", "no seven here");
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().reason(), "NO_SEVEN");
  EXPECT_DEATH(bad.value(), "the value of a failed Result was used: NOT_FOUND NO_SEVEN");
  EXPECT_DEATH((void)Result<int>{OkStatus()}, "without a value");
}

TEST(Result, PassesErrorsUpwards) {
  auto inner = [](bool fail) { return fail ? Internal("BROKEN", "x") : OkStatus(); };
  auto outer = [&](bool fail) -> Result<int> {
    MR_RETURN_IF_ERROR(inner(fail));
    return 1;
  };
  EXPECT_EQ(*outer(false), 1);
  EXPECT_EQ(outer(true).status().reason(), "BROKEN");
}

}  // namespace
}  // namespace millrace
