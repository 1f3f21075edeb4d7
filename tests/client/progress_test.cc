#include "client/cli/progress.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

TEST(ProgressBar, ShowsShareRateAndTimeLeft) {
  EXPECT_EQ(ProgressBar::Line("finishing", 50, 200, 2s),
            "finishing [======>                 ]  50/200  25%  25/s  6.00 s left");
}

TEST(ProgressBar, GuessesNothingBeforeItHasSeenAnything) {
  EXPECT_EQ(ProgressBar::Line("finishing", 0, 200, 0s), "finishing [>                       ]  0/200  0%");
  EXPECT_EQ(ProgressBar::Line("finishing", 1, 200, 100ms), "finishing [>                       ]  1/200  0%");
}

TEST(ProgressBar, IsFullAtTheEnd) {
  EXPECT_EQ(ProgressBar::Line("finishing", 200, 200, 4s), "finishing [========================]  200/200  100%  50/s");
}

TEST(ProgressBar, CountsWithoutATotal) { EXPECT_EQ(ProgressBar::Line("seen", 1234, 0, 0s), "seen  1,234"); }

}  // namespace
}  // namespace millrace::cli
