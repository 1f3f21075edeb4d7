#include "client/cli/output.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(Printable, ReplacesWhatMovesACursorOrTurnsText) {
  EXPECT_EQ(Printable("plain größe €𝄞"), "plain größe €𝄞");
  EXPECT_EQ(Printable("\x1b[2J"), "?[2J");
  EXPECT_EQ(Printable("a\tb\nc\rd\x7f"), "a?b?c?d?");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J"),
            "?2J")
      << "U+009B is ESC [ in one";
  EXPECT_EQ(Printable("exe.\xe2\x80\xaegpj"), "exe.?gpj") << "right to left";
  EXPECT_EQ(Printable("\xe2\x81\xa6x\xe2\x81\xa9"), "?x?");
  EXPECT_EQ(Printable("one\xe2\x80\xa8two"), "one?two");
  EXPECT_EQ(Printable("cut \xe2\x82"), "cut ??");
  EXPECT_EQ(Printable("\x9b"
                      "2J"),
            "?2J")
      << "the same byte alone, for a terminal of eight bits";
}

TEST(PrintableLines, LeavesLinesAndTabs) { EXPECT_EQ(PrintableLines("a\tb\n\x1b[31mc\r\n"), "a\tb\n?[31mc?\n"); }

}  // namespace
}  // namespace millrace::cli
