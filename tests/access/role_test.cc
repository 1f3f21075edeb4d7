#include "access/role.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::access {
namespace {

TEST(Role, WhatEachAllowsIsThisTable) {
  struct Row {
    Roles has;
    const char* allows;
  };
  // In the order of Role: none view submit work operate admin.
  const Row rows[] = {
      {{}, "n....."},
      {{Role::kView}, "nv...."},
      {{Role::kSubmit}, "nvs..."},
      {{Role::kWork}, "n..w.."},
      {{Role::kOperate}, "nvs.o."},
      {{Role::kAdmin}, "nvswoa"},
      {{Role::kView, Role::kWork}, "nv.w.."},
      {{Role::kSubmit, Role::kWork}, "nvsw.."},
      {{Role::kOperate, Role::kWork}, "nvswo."},
  };
  for (const Row& row : rows) {
    std::string allows;
    for (int i = 0; i < kRoles; ++i) allows += row.has.Allow(static_cast<Role>(i)) ? "nvswoa"[i] : '.';
    EXPECT_EQ(allows, row.allows) << row.has.ToString();
  }
}

TEST(Role, ListsAreWordsWithCommasBetween) {
  EXPECT_EQ(*Roles::Parse("view"), Roles({Role::kView}));
  EXPECT_EQ(*Roles::Parse("work,view"), Roles({Role::kView, Role::kWork}));
  EXPECT_EQ(Roles::Parse("work,view")->ToString(), "view,work");
  EXPECT_EQ(Roles::Parse("view,submit,work,operate,admin")->ToString(), "view,submit,work,operate,admin");
}

TEST(Role, AnythingElseIsRefusedByName) {
  for (const char* wrong : {"", "none", "View", "view,", ",view", "view,,work", "view work", "root", "view,view"}) {
    const Result<Roles> roles = Roles::Parse(wrong);
    ASSERT_FALSE(roles.ok()) << wrong;
    EXPECT_EQ(roles.status().reason(), "BAD_ROLE");
    EXPECT_EQ(roles.status().field(), "roles");
  }
  EXPECT_NE(Roles::Parse("view,view").status().message().find("'view' is named twice"), std::string::npos);
}

}  // namespace
}  // namespace millrace::access
