// The test that runs, once more and alone in a process of its own: for what would end or change this one.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace millrace::test {

struct AloneEnd {
  int status = 0;  // waitpid's.
  std::string said;
};

// `variable` is set in the environment there, so that the test knows that it is the one to do it.
inline AloneEnd RunAlone(const char* variable) {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  TempFolder folder;
  const std::string output = folder / "output";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::string name = "test", filter = std::string("--gtest_filter=") + test.test_suite_name() + "." + test.name();
  char* argv[] = {name.data(), filter.data(), nullptr};
  std::string ours = std::string(variable) + "=1";
  std::vector<char*> env = {ours.data()};
  for (char** each = environ; *each != nullptr; ++each) env.push_back(*each);
  env.push_back(nullptr);
  pid_t child;
  AloneEnd end;
  EXPECT_EQ(posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv, env.data()), 0);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(waitpid(child, &end.status, 0), child);
  std::ifstream in(output);
  end.said.assign(std::istreambuf_iterator<char>(in), {});
  return end;
}

}  // namespace millrace::test
