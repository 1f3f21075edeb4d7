#include "client/cli/exit_code.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::cli {
namespace {

TEST(ExitCode, TellsRefusalsApart) {
  EXPECT_EQ(FromStatus(OkStatus()), ExitCode::kOk);
  EXPECT_EQ(FromStatus(InvalidArgument("R", "")), ExitCode::kUsage);
  EXPECT_EQ(FromStatus(Unavailable("DRAINING", "")), ExitCode::kUnreachable);
  EXPECT_EQ(FromStatus(NotFound("R", "")), ExitCode::kNotFound);
  EXPECT_EQ(FromStatus(ResourceExhausted("QUEUE_FULL", "")), ExitCode::kFull);
  EXPECT_EQ(FromStatus(DeadlineExceeded("R", "")), ExitCode::kTimedOut);
  EXPECT_EQ(FromStatus(FailedPrecondition("WRONG_STATE", "")), ExitCode::kWrongState);
  EXPECT_EQ(FromStatus(AlreadyExists("REQUEST_ID_REUSED", "")), ExitCode::kWrongState);
  EXPECT_EQ(FromStatus({StatusCode::kPermissionDenied, "R", ""}), ExitCode::kDenied);
  EXPECT_EQ(FromStatus(Internal("R", "")), ExitCode::kInternal);
}

TEST(ExitCode, IsTheOutcomeOfTheJob) {
  EXPECT_EQ(FromState(v1::JOB_STATE_SUCCEEDED), ExitCode::kOk);
  EXPECT_EQ(FromState(v1::JOB_STATE_FAILED), ExitCode::kJobFailed);
  EXPECT_EQ(FromState(v1::JOB_STATE_CANCELLED), ExitCode::kJobEnded);
  EXPECT_EQ(FromState(v1::JOB_STATE_EXPIRED), ExitCode::kJobEnded);
  EXPECT_EQ(FromState(v1::JOB_STATE_QUARANTINED), ExitCode::kJobEnded);
}

TEST(ExitCode, OfSeveralJobsIsTheWorst) {
  EXPECT_EQ(Worst(ExitCode::kOk, ExitCode::kJobEnded), ExitCode::kJobEnded);
  EXPECT_EQ(Worst(ExitCode::kJobFailed, ExitCode::kJobEnded), ExitCode::kJobFailed);
  EXPECT_EQ(Worst(ExitCode::kJobFailed, ExitCode::kNotFound), ExitCode::kNotFound);
  EXPECT_EQ(Worst(ExitCode::kFull, ExitCode::kNotFound), ExitCode::kFull) << "the first of equals stays";
}

TEST(ExitCode, HelpNamesEveryCode) {
  const std::string help = kExitCodeHelp;
  for (const char* code : {"0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "8 ", "9 ", "10 ", "130 "}) {
    EXPECT_NE(help.find(code), std::string::npos) << code;
  }
}

}  // namespace
}  // namespace millrace::cli
