#include "io/pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using test::WatchedFiber;

class PipeTest : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Procs, PipeTest, test::kAnyProcs);

TEST_P(PipeTest, AReaderWaitsForBytesAndThenForTheEnd) {
  Run([] {
    PipePair pipe = MakePipe().value();
    std::string got;
    WatchedFiber reads([&] { got = ReadAll(pipe.reader); });
    reads.AwaitParked();
    ASSERT_TRUE(pipe.writer.Write("one ").ok());
    ASSERT_TRUE(pipe.writer.Write("two").ok());
    pipe.writer.Close();
    reads.Join();
    EXPECT_EQ(got, "one two");
  });
}

TEST_P(PipeTest, TheGreatestDurationIsNoLimit) {
  Run([] {
    PipePair pipe = MakePipe().value();
    for (AnyDuration no_limit : {AnyDuration(Nanos::max()), AnyDuration(std::chrono::hours::max())}) {
      char byte = 0;
      WatchedFiber reads([&] { EXPECT_TRUE(pipe.reader.Read({&byte, 1}, Within(no_limit)).ok()); });
      reads.AwaitParked();
      ASSERT_TRUE(pipe.writer.Write("x").ok());
      reads.Join();
      EXPECT_EQ(byte, 'x');
    }
  });
}

TEST_P(PipeTest, AWriteThatNobodyReadsIsAnErrorAndNoSignal) {
  Run([] {
    PipePair pipe = MakePipe().value();
    pipe.reader.Close();
    Status status = pipe.writer.Write("x");
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    EXPECT_EQ(status.ToString().substr(0, 48), "UNAVAILABLE EPIPE: cannot write to a pipe: Broke");
  });
}

TEST_P(PipeTest, AWriterThatWaitsIsWokenWhenTheReaderGoes) {
  Run([] {
    PipePair pipe = MakePipe().value();
    std::string much(1 << 20, 'x');
    Status status;
    WatchedFiber writes([&] { status = pipe.writer.Write(much); });
    writes.AwaitParked();
    pipe.reader.Close();
    writes.Join();
    EXPECT_EQ(ReasonOf(status), "EPIPE");
    EXPECT_EQ(status.metadata().at("bytes_written"), "65536");
  });
}

TEST_P(PipeTest, ABorrowedDescriptorKeepsItsFlagsAndStaysOpen) {
  RawPipe raw;
  Run([&] {
    Pipe reader = Pipe::BorrowToRead(raw.reader.get(), "in").value();
    Pipe writer = Pipe::BorrowToWrite(raw.writer.get(), "out").value();
    std::string much(1 << 20, 'y');
    WatchedFiber writes([&] { EXPECT_TRUE(writer.Write(much).ok()); });
    EXPECT_EQ(ReadAll(reader, much.size()), much);
    writes.Join();
    char byte;
    EXPECT_EQ(ReasonOf(reader.Read({&byte, 1}, Within(5ms))), "IO_DEADLINE");
    std::string reason;
    WatchedFiber reads([&] { reason = ReasonOf(reader.Read({&byte, 1})); });
    reads.AwaitParked();
    reader.Close();
    reads.Join();
    EXPECT_EQ(reason, "IO_CLOSED");
  });
  EXPECT_EQ(fcntl(raw.reader.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(raw.writer.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(PipeTest, ARegularFileIsReadToItsEnd) {
  char path[] = "/tmp/millrace-io-XXXXXX";
  UniqueFd file(mkstemp(path));
  unlink(path);
  std::string text(100'000, 'z');
  ASSERT_EQ(write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  lseek(file.get(), 0, SEEK_SET);
  Run([&] {
    Pipe reader = Pipe::BorrowToRead(file.get(), "a file").value();
    EXPECT_EQ(ReadAll(reader), text);
  });
}

TEST_P(PipeTest, TheStandardDescriptorsCanBeUsed) {
  RawPipe raw;
  UniqueFd before(dup(0));
  dup2(raw.reader.get(), 0);
  Run([&] {
    Pipe in = Stdin().value();
    Pipe to_it = Pipe::Adopt(UniqueFd(raw.writer.Release()), "to stdin").value();
    std::string got;
    WatchedFiber reads([&] { got = ReadAll(in); });
    reads.AwaitParked();
    ASSERT_TRUE(to_it.Write("hello").ok());
    to_it.Close();
    reads.Join();
    EXPECT_EQ(got, "hello");
    EXPECT_TRUE(Stdout().value().Write("").ok());
  });
  dup2(before.get(), 0);
}

TEST_P(PipeTest, AProgramStartedLaterFindsSigpipeAsItWas) {
  Run([] {
    PipePair pipe = MakePipe().value();
    struct sigaction now {};
    sigaction(SIGPIPE, nullptr, &now);
    EXPECT_NE(now.sa_handler, SIG_IGN) << "which programs inherit";
    EXPECT_NE(now.sa_handler, SIG_DFL);
  });
}

}  // namespace
}  // namespace millrace::io
