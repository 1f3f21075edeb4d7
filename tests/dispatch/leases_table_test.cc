// The table of states of a lease: in each state that an attempt of a remote worker can be in, each word that its worker
// may say and each thing that may happen, and what the job is then. dispatch/README.md shows it.
//
// A cell is the job's state (Queued, Running, Succeeded, Cancelled), the attempts that count, and `!` where the worker
// was told that the attempt is not its own (LEASE_LOST, or revoked).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/placement_fixture.h"

namespace millrace::test {
namespace {

using dispatch::Lease;
using dispatch::LeaseRef;
using dispatch::Leases;

class LeaseTable : public PlacementTest {
 protected:
  // One cell: a job, the worker that was given it, and what is said or happens.
  struct Cell {
    DispatchFixture& d;
    std::unique_ptr<FakeWorker> worker;
    JobId id;
    LeaseRef ref;
    bool lost = false;  // The worker came back, and was told so.

    void Settle() {
      for (int i = 0; i < 100; ++i) rt::Yield();
    }
    // As the worker knows it once it has looked.
    void Look() {
      worker->Look();
      for (const Lease& lease : worker->news.given) ref = lease.ref;
    }
    void Back(bool names_it) {
      dispatch::WorkerOffer offer = LeaseTable::Offer("a");
      if (names_it) offer.held.push_back({ref});
      auto again = std::make_unique<FakeWorker>(d, offer);
      lost = !again->lost.empty();
      worker->Forget();
      worker = std::move(again);
    }
    std::string Show() {
      Settle();
      worker->Look();
      const JobSnapshot job = d.Get(id);
      const auto is_it = [&](const auto& each) {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, LeaseRef>) {
          return each == ref;
        } else {
          return each.ref == ref;
        }
      };
      const auto any = [&](const auto& list) { return std::any_of(list.begin(), list.end(), is_it); };
      for (const dispatch::LeaseStop& stop : std::exchange(worker->refused, {})) {
        // An end that was refused may have been told before.
        if (stop.ref == ref) lost = lost || !d.dispatcher.leases().AckAgain(worker->holder(), ref);
      }
      const bool refused = lost || any(worker->news.revoked) || any(worker->news.unknown);
      static const std::map<JobState, char> kLetters = {{JobState::kQueued, 'Q'},
                                                        {JobState::kRunning, 'R'},
                                                        {JobState::kSucceeded, 'S'},
                                                        {JobState::kFailed, 'F'},
                                                        {JobState::kCancelled, 'C'}};
      return std::string(1, kLetters.at(job.state)) + std::to_string(job.attempts) + (refused ? "!" : "");
    }
  };
  struct Step {
    const char* name;
    std::function<void(Cell&)> act;
  };

  static std::vector<Step> States() {
    const auto accept = [](Cell& c) {
      c.Look();
      c.worker->Say({.accepted = {c.ref}}).ok();
    };
    return {
        {"given", [](Cell&) {}},
        {"told", [](Cell& c) { c.Look(); }},
        {"accepted", accept},
        {"stopping",
         [accept](Cell& c) {
           accept(c);
           c.d.Cancel(c.id, "").status().ok();
         }},
        {"silent",
         [accept](Cell& c) {
           accept(c);
           c.d.Advance(c.d.dispatcher.leases().Options().lease);
         }},
        {"ended",
         [accept](Cell& c) {
           accept(c);
           c.worker->End(c.ref, dispatch::AttemptOutcome::Succeeded("by the first word"));
         }},
    };
  }

  static std::vector<Step> Events() {
    return {
        {"accepts", [](Cell& c) { c.worker->Say({.accepted = {c.ref}}).ok(); }},
        {"shows",
         [](Cell& c) {
           dispatch::WorkerWords words;
           words.shown.push_back({.ref = c.ref, .progress = Progress{.fraction = 0.5}, .log = {}, .checkpoint = {}});
           c.worker->Say(std::move(words)).ok();
         }},
        {"succeeds", [](Cell& c) { c.worker->End(c.ref, dispatch::AttemptOutcome::Succeeded("done")); }},
        {"fails", [](Cell& c) { c.worker->End(c.ref, dispatch::AttemptOutcome::Failed("no")); }},
        {"releases", [](Cell& c) { c.worker->Say({.released = {c.ref}}).ok(); }},
        {"lists it", [](Cell& c) { c.worker->Say({.held = std::vector<LeaseRef>{c.ref}}).ok(); }},
        {"lists none", [](Cell& c) { c.worker->Say({.held = std::vector<LeaseRef>{}}).ok(); }},
        {"back with it", [](Cell& c) { c.Back(true); }},
        {"back without", [](Cell& c) { c.Back(false); }},
        {"broken, back",
         [](Cell& c) {
           c.d.dispatcher.leases().Leave(c.worker->holder(), Leases::Leaving::kBroken);
           c.Back(true);
         }},
        {"broken, gone",
         [](Cell& c) {
           c.d.dispatcher.leases().Leave(c.worker->holder(), Leases::Leaving::kBroken);
           c.d.Advance(c.d.dispatcher.leases().Options().resume_grace);
         }},
        {"goodbye", [](Cell& c) { c.d.dispatcher.leases().Leave(c.worker->holder(), Leases::Leaving::kGoodbye); }},
        {"cancelled", [](Cell& c) { c.d.Cancel(c.id, "").status().ok(); }},
        {"5 s pass", [](Cell& c) { c.d.Advance(c.d.dispatcher.leases().Options().accept_within); }},
        {"a lease passes", [](Cell& c) { c.d.Advance(c.d.dispatcher.leases().Options().lease); }},
    };
  }

  std::string Play(const Step& state, const Step& event) {
    std::string shown;
    Run([&](DispatchFixture& d) {
      Cell cell{.d = d, .worker = std::make_unique<FakeWorker>(d, Offer("a")), .id = {}, .ref = {}};
      cell.worker->Grant(1);
      JobSpec spec = d.Spec("resize");
      spec.retry.initial_backoff = Nanos(0);
      cell.id = d.Submit(spec);
      state.act(cell);
      event.act(cell);
      shown = cell.Show();
    });
    return shown;
  }
};

TEST_F(LeaseTable, EachWordInEachStateHasOneAnswer) {
  const std::vector<Step> states = States(), events = Events();
  const std::vector<std::pair<std::string, std::vector<std::string>>> expected = {
      //                 given  told   accepted stopping silent ended
      {"accepts", {"R1!", "R1", "R1", "R1", "Q0!", "S1"}},
      {"shows", {"R1!", "R1", "R1", "R1", "Q0!", "S1"}},
      {"succeeds", {"R1!", "S1", "S1", "C1", "Q0!", "S1"}},
      {"fails", {"R1!", "Q1", "Q1", "C1", "Q0!", "S1"}},
      {"releases", {"R1!", "Q0", "Q0", "C1", "Q0!", "S1"}},
      {"lists it", {"R1!", "R1", "R1", "R1", "Q0!", "S1!"}},
      {"lists none", {"R1", "R1", "Q0", "C1", "Q0!", "S1"}},
      {"back with it", {"Q0!", "R1", "R1", "R1", "Q0!", "S1!"}},
      {"back without", {"Q0", "Q0", "Q0", "C1", "Q0", "S1"}},
      {"broken, back", {"Q0!", "R1", "R1", "R1", "Q0!", "S1!"}},
      {"broken, gone", {"Q0", "Q0", "Q0", "C1", "Q0", "S1"}},
      {"goodbye", {"Q0", "Q0", "Q0", "C1", "Q0", "S1"}},
      {"cancelled", {"C1", "R1", "R1", "R1", "C0!", "S1"}},
      {"5 s pass", {"R1", "Q0!", "R1", "R1", "Q0!", "S1"}},
      {"a lease passes", {"Q0", "Q0!", "Q0!", "C1!", "Q0!", "S1"}},
  };
  ASSERT_EQ(events.size(), expected.size());
  for (size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].name, expected[i].first);
    ASSERT_EQ(states.size(), expected[i].second.size());
    for (size_t j = 0; j < states.size(); ++j) {
      EXPECT_EQ(Play(states[j], events[i]), expected[i].second[j])
          << states[j].name << ", and then: " << events[i].name;
    }
  }
}

}  // namespace
}  // namespace millrace::test
