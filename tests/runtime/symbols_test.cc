#include "runtime/symbols.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <search.h>

#include "runtime/backtrace.h"

namespace millrace::rt {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

struct Lighthouse {
  __attribute__((noinline)) static SavedFrame Shine(int) { return HereAndNow(); }
};

TEST(Symbols, TellFunctionFileAndLine) {
  Symbols symbols;
  std::string text = symbols.Describe(Lighthouse::Shine(1).pc, false);
  EXPECT_THAT(text, HasSubstr("Lighthouse::Shine(int) at "));
  EXPECT_THAT(text, ContainsRegex("(symbols_test.cc|backtrace.h):[0-9]+$"));
}

TEST(Symbols, LookAReturnAddressUpAsTheCallBeforeIt) {
  // The first byte of a function as a return address: the call was the last thing of the function before.
  auto start = reinterpret_cast<uintptr_t>(&Lighthouse::Shine);
  Symbols symbols;
  EXPECT_THAT(symbols.Describe(start, false), HasSubstr("Lighthouse::Shine"));
  EXPECT_THAT(symbols.Describe(start, true), ::testing::Not(HasSubstr("Lighthouse::Shine")));
}

TEST(Symbols, NameTheLibraryWhereThereIsNoLine) {
  // Some have the C library's debug information installed, most have not.
  Symbols symbols;
  EXPECT_THAT(symbols.Describe(reinterpret_cast<uintptr_t>(&lfind), false),
              ContainsRegex("^lfind( at .+:[0-9]+| in libc[^ ]*\\+0x[0-9a-f]+)$"));
}

TEST(Symbols, SayQuestionMarksForWhatIsNoCode) {
  Symbols symbols;
  EXPECT_EQ(symbols.Describe(0, true), "??");
  EXPECT_EQ(symbols.Describe(1, false), "??");
  EXPECT_EQ(symbols.Describe(~uintptr_t{0}, true), "??");
}

}  // namespace
}  // namespace millrace::rt
