// The pipe that a child has beside stdin, stdout and stderr.
#include <gtest/gtest.h>
#include <signal.h>

#include <new>
#include <string>

#include "tests/io/process_fixture.h"

namespace millrace::io {
namespace {

class ProcessSide : public Process {};

TEST_F(ProcessSide, WhatIsWrittenThereComesApartFromTheOutputs) {
  ProcessSpec spec = Shell("echo out; echo side >&3; echo error >&2; echo more >&3");
  std::string side, errors;
  spec.on_error_output = [&](std::string_view bytes) { errors += bytes; };
  spec.on_side_output = [&](std::string_view bytes) { side += bytes; };
  EXPECT_EQ(OutputOf(spec), "out\n");
  EXPECT_EQ(errors, "error\n");
  EXPECT_EQ(side, "side\nmore\n");
}

TEST_F(ProcessSide, NothingElseIsOpenBesideIt) {
  ProcessSpec spec = Program("/bin/ls", {"/proc/self/fd"});
  spec.on_side_output = [](std::string_view) {};
  EXPECT_EQ(OutputOf(spec), "0\n1\n2\n3\n4\n") << "4 is the folder that ls reads";
}

TEST_F(ProcessSide, AChildThatCannotBeStartedWithItSaysWhy) {
  ProcessSpec spec = Program("/no/such/program");
  spec.on_side_output = [](std::string_view) {};
  EXPECT_EQ(Run(spec).status().message(), "cannot start '/no/such/program': No such file or directory");
}

TEST_F(ProcessSide, AFloodPassesThroughWhole) {
  ProcessSpec spec = Shell("head -c 50m /dev/zero >&3");
  size_t bytes = 0;
  spec.on_side_output = [&](std::string_view chunk) { bytes += chunk.size(); };
  OutputOf(spec);
  EXPECT_EQ(bytes, size_t{50} << 20);
}

TEST_F(ProcessSide, AChildMayCloseIt) {
  ProcessSpec spec = Shell("echo last >&3; exec 3>&-; echo out");
  std::string side;
  spec.on_side_output = [&](std::string_view bytes) { side += bytes; };
  EXPECT_EQ(OutputOf(spec), "out\n");
  EXPECT_EQ(side, "last\n");
}

TEST_F(ProcessSide, WhatAKilledChildHadWrittenIsDelivered) {
  ProcessSpec spec = Shell("head -c 60000 /dev/zero >&3; kill -KILL $$");
  size_t bytes = 0;
  spec.on_side_output = [&](std::string_view chunk) { bytes += chunk.size(); };
  Result<ProcessExit> exit = Run(spec);
  ASSERT_TRUE(exit.ok()) << exit.status().ToString();
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_EQ(bytes, 60'000u);
}

TEST_F(ProcessSide, ADescendantThatLeftTheGroupAndNeverStopsWritingThereIsCutOff) {
  Subreaper subreaper;
  ProcessSpec spec =
      Shell("trap 'exit 0' USR1; setsid sh -c \"echo \\$\\$ >&2; kill -USR1 $$; exec yes >&3 2>/dev/null\" & wait");
  std::string errors;
  spec.on_error_output = [&](std::string_view bytes) { errors += bytes; };
  spec.on_side_output = [](std::string_view) {};
  ASSERT_TRUE(Run(spec).ok());
  EXPECT_EQ(Subreaper::SignalThatEnded(std::stoi(errors)), SIGPIPE);
}

TEST_F(ProcessSide, MemoryThatIsRefusedForItEndsThisChildOnly) {
  ProcessHost host;
  ProcessSpec spec = Shell("echo more >&3; exec sleep 1000");
  spec.on_side_output = [](std::string_view) { throw std::bad_alloc(); };
  EXPECT_EQ(host.Run(spec, {}).status().reason(), "PROCESS_STOPPED_FOR_MEMORY");
  EXPECT_TRUE(host.Run(Program("/bin/true"), {})->success());
}

}  // namespace
}  // namespace millrace::io
