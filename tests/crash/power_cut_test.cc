#include "tests/crash/power_cut.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "tests/support/temp_folder.h"

namespace millrace::crash {
namespace {

namespace fs = std::filesystem;

const fs::path kPrograms = fs::canonical("/proc/self/exe").parent_path();

class PowerCutLayer : public testing::Test {
 protected:
  // The scribe's words, separated by spaces; relative names are below the root. Its wait status.
  int Run(const std::string& words, const Faults& faults = {}) {
    cut_.Arm(faults, ++seed_);
    std::vector<std::string> arguments = {kPrograms / "crash_scribe"};
    std::istringstream stream(words);
    for (std::string word; stream >> word;) {
      // Names begin with '@', which is the root.
      arguments.push_back(word[0] == '@' ? cut_.root().string() + word.substr(1) : word);
    }
    std::vector<std::string> variables = cut_.Environment();
    auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> list;
      for (std::string& text : texts) list.push_back(text.data());
      list.push_back(nullptr);
      return list;
    };
    pid_t pid = 0;
    int status = 0;
    EXPECT_EQ(posix_spawn(&pid, arguments[0].c_str(), nullptr, nullptr, pointers(arguments).data(),
                          pointers(variables).data()),
              0);
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return status;
  }

  void RunToItsEnd(const std::string& words, const Faults& faults = {}) {
    const int status = Run(words, faults);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }

  // "name=content name=content", folders left out; contents longer than 12 bytes are told by their size.
  std::string Left() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(cut_.root())) {
      if (!entry.is_regular_file()) continue;
      const std::string content = Content(entry.path().lexically_relative(cut_.root()));
      files[entry.path().lexically_relative(cut_.root())] =
          content.size() <= 12 ? content : std::to_string(content.size());
    }
    std::string all;
    for (const auto& [name, content] : files) all += (all.empty() ? "" : " ") + name + "=" + content;
    return all;
  }
  std::string Content(const std::string& name) const {
    std::ifstream file(cut_.root() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // What is left over after many cuts of the same run.
  std::set<std::string> Outcomes(const std::string& before, const std::string& words, Tails tails = Tails::kShort,
                                 const Faults& faults = {}) {
    std::set<std::string> outcomes;
    for (int i = 0; i < 60; ++i) {
      fs::remove_all(cut_.root());
      fs::create_directories(cut_.root());
      if (!before.empty()) RunToItsEnd(before);
      RunToItsEnd(words, faults);
      cut_.Cut(tails, random_);
      outcomes.insert(Left());
    }
    return outcomes;
  }

  // A checkout may be in a folder whose name has a space.
  static fs::path CopyLayer(const fs::path& folder) {
    fs::create_directories(folder);
    fs::copy_file(kPrograms / "libmillrace_power_cut.so", folder / "libmillrace_power_cut.so");
    return folder / "libmillrace_power_cut.so";
  }

  test::TempFolder folder_;
  PowerCut cut_{folder_ / "a disk", CopyLayer(folder_ / "a place")};
  Random random_{7};
  uint64_t seed_ = 0;
};

using Set = std::set<std::string>;

TEST_F(PowerCutLayer, KeepsWhatWasSyncedAndAnyPartOfTheRest) {
  EXPECT_EQ(Outcomes("", "append @/f 2 sync @/f folder-sync @ append @/f 2"), (Set{"f=ab", "f=abc", "f=abcd"}));
  EXPECT_EQ(Outcomes("", "append @/f 2 sync @/f folder-sync @"), (Set{"f=ab"}));
  EXPECT_EQ(Outcomes("", "append @/f 1 folder-sync @"), (Set{"f=", "f=a"}));
}

TEST_F(PowerCutLayer, ANewNameNeedsAnFsyncOfItsFolder) {
  EXPECT_EQ(Outcomes("", "append @/f 2 sync @/f"), (Set{"", "f=ab"}));
  EXPECT_EQ(Outcomes("", "mkdir @/d append @/d/f 2 sync @/d/f folder-sync @/d"), (Set{"", "d/f=ab"}));
  EXPECT_EQ(Outcomes("", "mkdir @/d append @/d/f 2 sync @/d/f folder-sync @/d folder-sync @"), (Set{"d/f=ab"}));
}

TEST_F(PowerCutLayer, NamesChangeInOrder) {
  const std::string before = "append @/a 1 append @/b 2";
  EXPECT_EQ(Outcomes(before, "rename @/a @/b unlink @/b"), (Set{"a=a b=ab", "b=a", ""}));
  EXPECT_EQ(Outcomes(before, "rename @/a @/b folder-sync @ unlink @/b"), (Set{"b=a", ""}));
  EXPECT_EQ(Outcomes(before, "truncate @/b"), (Set{"a=a b=ab", "a=a", "a=a b="}));
}

TEST_F(PowerCutLayer, ATornTailNeverReachesIntoWhatWasSynced) {
  std::set<size_t> sizes;
  int torn = 0;
  for (int i = 0; i < 60; ++i) {
    fs::remove_all(cut_.root());
    fs::create_directories(cut_.root());
    RunToItsEnd("append @/f 5000 sync @/f folder-sync @ append @/f 20000");
    const std::string whole = Content("f");
    torn += cut_.Cut(i % 2 == 0 ? Tails::kTorn : Tails::kGarbage, random_).files_torn;
    const std::string left = Content("f");
    ASSERT_GE(left.size(), 5000u);
    ASSERT_EQ(left.substr(0, 5000), whole.substr(0, 5000));
    sizes.insert(left.size());
  }
  EXPECT_GT(sizes.size(), 10u);
  EXPECT_GT(torn, 10);
}

TEST_F(PowerCutLayer, WhatIsMadeShorterStaysSo) {
  EXPECT_EQ(Outcomes("append @/f 4", "shorten @/f 1 append @/g 1"), (Set{"f=a", "f=a g=", "f=a g=a"}));
}

TEST_F(PowerCutLayer, ASyncThatIsTakenAwayKeepsNothing) {
  EXPECT_EQ(Outcomes("", "append @/f.log 1 sync @/f.log append @/g 1 sync @/g folder-sync @", Tails::kShort,
                     {.unsynced = ".log"}),
            (Set{"f.log= g=a", "f.log=a g=a"}));
}

TEST_F(PowerCutLayer, TheProcessDiesAtTheChosenStep) {
  const std::string words = "append @/f 4 sync @/f append @/g 4 folder-sync @ rename @/g @/h";
  auto left_after = [&](Step step, Moment moment, uint32_t at) {
    fs::remove_all(cut_.root());
    fs::create_directories(cut_.root());
    RunToItsEnd(words, {.kill_step = step, .kill_moment = moment, .kill_at = at});
    EXPECT_TRUE(cut_.killed_itself());
    return Left();
  };
  EXPECT_EQ(left_after(Step::kWrite, Moment::kBefore, 2), "f=abcd g=");
  EXPECT_EQ(left_after(Step::kWrite, Moment::kAfter, 1), "f=abcd");
  EXPECT_EQ(left_after(Step::kSync, Moment::kBefore, 1), "f=abcd");
  EXPECT_EQ(left_after(Step::kCreate, Moment::kAfter, 2), "f=abcd g=");
  EXPECT_EQ(left_after(Step::kRename, Moment::kBefore, 1), "f=abcd g=abcd");
  EXPECT_EQ(left_after(Step::kRename, Moment::kAfter, 1), "f=abcd h=abcd");
  Set halves;
  for (int i = 0; i < 40; ++i) halves.insert(left_after(Step::kWrite, Moment::kHalf, 1));
  EXPECT_EQ(halves, (Set{"f=", "f=a", "f=ab", "f=abc"}));
}

TEST_F(PowerCutLayer, WhatItCannotTakeBackEndsTheProcess) {
  testing::internal::CaptureStderr();
  const int status = Run("append @/f 4 sync @/f overwrite @/f");
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "power_cut_layer: overwriting synced bytes of f is nothing it could take back\n");
}

}  // namespace
}  // namespace millrace::crash
