// Children for a test, which afterwards must have left neither a descriptor nor a child.
#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <string>
#include <utility>
#include <vector>

#include "io/process.h"
#include "tests/support/fibers.h"
#include "tests/support/leaks.h"

namespace millrace::io {

class Process : public ::testing::Test {
 protected:
  void SetUp() override { descriptors_ = test::OpenDescriptors(); }
  void TearDown() override {
    EXPECT_EQ(test::OpenDescriptors(), descriptors_) << "descriptors were leaked";
    EXPECT_TRUE(test::HasNoChildren());
  }

  static ProcessSpec Shell(std::string script) {
    return {.program = "/bin/sh", .argv = {"sh", "-c", std::move(script)}, .env = {"PATH=/usr/bin:/bin"}};
  }
  static ProcessSpec Program(std::string path, std::vector<std::string> arguments = {}) {
    std::vector<std::string> argv = {path};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return {.program = std::move(path), .argv = std::move(argv)};
  }

  // On the main fiber of a runtime of two processors.
  static Result<ProcessExit> Run(const ProcessSpec& spec, const sync::CancelToken& cancel = {}) {
    Result<ProcessExit> result{ProcessExit{}};
    ProcessHost host;
    test::OnProcs(2, [&] {
      result = host.Run(spec, cancel);
      host.Stop();
    });
    return result;
  }
  // For a child that ends as it should.
  static std::string OutputOf(const ProcessSpec& spec) {
    Result<ProcessExit> exit = Run(spec);
    if (!exit.ok()) return exit.status().ToString();
    EXPECT_TRUE(exit->success()) << exit->code << " " << exit->signal;
    return exit->output;
  }

 private:
  int descriptors_ = 0;
};

// Orphans of our children become ours, so that a test can see how they end.
class Subreaper {
 public:
  Subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Subreaper() { prctl(PR_SET_CHILD_SUBREAPER, 0); }
  // The signal that ended it; 0: it exited. Waits.
  static int SignalThatEnded(pid_t orphan) {
    int status = 0;
    return waitpid(orphan, &status, 0) == orphan && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
};

}  // namespace millrace::io
