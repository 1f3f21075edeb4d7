#include "client/cli/table.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(Table, AlignsColumnsAndEndsNoLineInSpaces) {
  Table table({"POOL", ">QUEUED", "STATE"});
  table.Add({"default", "5", "ACTIVE"});
  table.Add({"thumbs", "1,200", ""});
  EXPECT_EQ(table.Render(),
            "POOL     QUEUED  STATE\n"
            "default       5  ACTIVE\n"
            "thumbs    1,200\n");
}

TEST(Table, CountsLettersNotBytes) {
  Table table({"NAME", "NEXT"});
  table.Add({"größe", "x"});
  table.Add({"abcde", "y"});
  EXPECT_EQ(table.Render(), "NAME   NEXT\ngröße  x\nabcde  y\n");
}

TEST(Table, KeepsATerminalSafeFromWhatJobsSay) {
  Table table({"ERROR"});
  table.Add({"\033[2Jgone\r\n"});
  EXPECT_EQ(table.Render(), "ERROR\n?[2Jgone??\n");
}

TEST(OneLine, CutsAtTheLineAndAtTheWidth) {
  EXPECT_EQ(OneLine("short", 10), "short");
  EXPECT_EQ(OneLine("short\n", 10), "short");
  EXPECT_EQ(OneLine("first\nsecond", 10), "first…");
  EXPECT_EQ(OneLine("0123456789abc", 10), "012345678…");
  EXPECT_EQ(OneLine("0123456789", 10), "0123456789");
  EXPECT_EQ(OneLine("äöüäöü", 4), "äöü…");
  EXPECT_EQ(OneLine("bell\a", 10), "bell?");
}

TEST(Details, KeepATerminalSafeFromWhatJobsSay) {
  Details details;
  details.Add("error", "\033[2Jgone\nid: 01J");
  EXPECT_EQ(details.Take(), "error:        ?[2Jgone?id: 01J\n") << "nor does a value make up lines of its own";
}

TEST(Details, PutsValuesInOneColumnAndLeavesOutWhatIsEmpty) {
  Details details;
  details.Add("id", "01J");
  details.Add("error", "");
  details.Add("a name beyond it", "value");
  EXPECT_EQ(details.Take(), "id:           01J\na name beyond it: value\n");
}

}  // namespace
}  // namespace millrace::cli
