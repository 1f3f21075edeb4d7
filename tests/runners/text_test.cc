#include "runners/text.h"

#include <gtest/gtest.h>

namespace millrace::runners {
namespace {

TEST(Printable, KeepsTextInAnyScript) {
  EXPECT_EQ(Printable("plain\tand\nlines", 100), "plain\tand\nlines");
  EXPECT_EQ(Printable("grün 水車 🛞", 100), "grün 水車 🛞");
}

TEST(Printable, ReplacesControlCharactersAndWhatIsNotUtf8) {
  EXPECT_EQ(Printable("\x1b[31mred\x7f\r", 100), "?[31mred??");
  EXPECT_EQ(Printable("\xff\xc3", 100), "??");
  EXPECT_EQ(Printable("\xc0\xaf", 100), "??") << "longer than needed";
  EXPECT_EQ(Printable("\xed\xa0\x80", 100), "???") << "a surrogate";
  EXPECT_EQ(Printable("\xf4\x90\x80\x80", 100), "????") << "above U+10FFFF";
  EXPECT_EQ(Printable(std::string("a\0b", 3), 100), "a?b");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdef", 5), "abcde...");
  EXPECT_EQ(Printable("水車", 5), "水...");
}

}  // namespace
}  // namespace millrace::runners
