// A dispatcher whose journal commits when the test says so.
#pragma once

#include <utility>

#include "sync/wait_group.h"
#include "tests/support/dispatch_fixture.h"
#include "tests/support/slow_journal.h"

namespace millrace::test {

// What begins or ends after `body` is committed until the fixture has stopped.
inline void WithSlow(SlowJournal& journal, DispatchSetup setup, const std::function<void(DispatchFixture&)>& body) {
  setup.journal = &journal;
  WithDispatcher(setup, [&](DispatchFixture& d) {
    body(d);
    d.runner.LetGo();
    journal.FailReads(OkStatus());
    sync::WaitGroup stopping;
    stopping.Go([&] { d.Stop(Nanos(0)); });
    while (stopping.count() > 0) {
      journal.Commit();
      rt::Yield();
    }
    stopping.Wait();
    journal.Commit();
  });
}

inline JobId SubmitTo(DispatchFixture& d, SlowJournal& journal, JobSpec spec) {
  SubmitCall call;
  call.items.push_back({std::move(spec), ""});
  d.dispatcher.Submit(&call);
  journal.Commit();
  call.Await();
  DispatchFixture::Require(call.status);
  return call.acks.at(0).id;
}

// The next attempt, its start committed.
inline FakeRunner::Held Begin(DispatchFixture& d, SlowJournal& journal) {
  while (d.runner.begun() == 0) {
    journal.Commit();
    rt::Yield();
  }
  return d.runner.Next();
}

}  // namespace millrace::test
