// Real runners under a dispatcher whose configuration is replaced while their jobs run.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dispatch/dispatcher.h"
#include "io/process.h"
#include "runners/exec.h"
#include "store/memory_journal.h"
#include "tests/support/dispatch_fixture.h"
#include "tests/support/temp_folder.h"

namespace millrace::runners {
namespace {

using dispatch::Dispatcher;
using dispatch::DispatcherOptions;
using dispatch::PoolOptions;
using namespace std::chrono_literals;  // NOLINT: literals are made for this

const PoolOptions kPrograms = {.name = "programs", .runner = "exec", .workers = 1};

ExecRunner::Kind Script(const std::string& script) {
  Result<ExecRunner::Kind> kind =
      ExecRunner::Prepare({.name = "job", .pool = "programs"}, {.argv = {"sh", "-c", script}});
  MR_CHECK(kind.ok(), "%s", kind.status().ToString().c_str());
  return *std::move(kind);
}

JobId Submit(Dispatcher& dispatcher) {
  test::SubmitCall call;
  call.items.push_back({test::DispatchFixture::Spec("job"), ""});
  dispatcher.Submit(&call);
  call.Await();
  MR_CHECK(call.status.ok(), "%s", call.status.ToString().c_str());
  return call.acks.at(0).id;
}

JobSnapshot Await(Dispatcher& dispatcher, const JobId& id) {
  test::WaitCall call;
  test::DispatchFixture::Require(dispatcher.Wait(id, &call));
  return call.Await();
}

std::string ResultOf(const JobSnapshot& job) { return job.result ? *job.result : job.error; }

TEST(Reload, AProgramEndsAsItBeganAndTheNextIsTheNewOne) {
  const test::TempFolder folder;
  const std::string began = folder / "began", may_end = folder / "may_end";
  rt::Runtime runtime({.procs = 2});
  runtime.Run([&] {
    SystemClock clock;
    store::MemoryJournal journal;
    io::ProcessHost host;
    ExecRunner exec(host);
    exec.Replace({Script("touch " + began + "; until [ -e " + may_end + " ]; do sleep 0.02; done; echo old")});
    Dispatcher dispatcher({runtime, clock, journal, {&exec}}, DispatcherOptions());
    test::DispatchFixture::Require(dispatcher.AddPool(kPrograms));
    test::DispatchFixture::Require(dispatcher.Start());

    const JobId first = Submit(dispatcher), second = Submit(dispatcher);
    while (!std::filesystem::exists(began)) rt::SleepFor(1ms);
    Dispatcher::Setup next{.pools = {kPrograms}};
    next.replace_kinds = [&] { exec.Replace({Script("echo new")}); };
    test::DispatchFixture::Require(dispatcher.Apply(next));
    std::ofstream(may_end).flush();
    EXPECT_EQ(ResultOf(Await(dispatcher, first)), "old\n");
    EXPECT_EQ(ResultOf(Await(dispatcher, second)), "new\n");

    dispatcher.Stop(0s);
    host.Stop();
  });
}

}  // namespace
}  // namespace millrace::runners
