// Workers, streams, time and the daemon itself do what they like. What must hold: every job ends; a result that was
// acknowledged is the job's, and no other attempt's; whoever is given a job has the labels that it
// requires, and finds its payload and its checkpoint; and between any two steps jobs and counts agree
// (Core::CheckInvariants, in each Turn).
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "tests/support/fake_worker.h"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using dispatch::Lease;
using dispatch::LeaseRef;
using dispatch::Leases;
using dispatch::WorkerOffer;

// A worker as it remembers itself, over its streams and over the daemon's lives.
struct Process {
  std::string key;
  std::vector<std::string> kinds;
  LabelSet labels;
  bool reads_payloads = false;
  int64_t cost_of_b = 1;
  std::vector<Lease> running;
  std::vector<Lease> unacked;  // It has succeeded with them, and was not told that this is known.
  int64_t received = 0;        // Slots, on this stream.
  std::unique_ptr<FakeWorker> stream;
};

std::string ResultOf(const LeaseRef& ref) { return "by " + std::to_string(ref.claim.token); }

class Story {
 public:
  explicit Story(unsigned seed) : random_(seed) {}

  void Live(DispatchFixture& d, int steps) {
    d_ = &d;
    for (Process& each : processes_) {
      if (each.stream != nullptr || Chance(2)) Connect(each);
    }
    for (int i = 0; i < steps; ++i) Step();
    for (Process& each : processes_) {
      if (each.stream == nullptr) continue;
      each.stream->Forget();
      each.stream.reset();
    }
  }

  // Whatever is left runs to its end.
  void End(DispatchFixture& d) {
    d_ = &d;
    while (!processes_.empty()) Die(processes_.size() - 1);
    d.Advance(1min);
    processes_.push_back({.key = "last", .kinds = {"a", "b"}, .labels = {{"x", "1"}, {"y", "1"}}, .cost_of_b = 3});
    Process& last = processes_.back();
    Connect(last);
    for (bool all = false; !all;) {
      last.stream->Grant(last.received + 100);
      Listen(last);
      while (!last.running.empty()) Succeed(last, 0);
      Listen(last);
      d.Advance(2s);
      all = true;
      for (const JobId& id : jobs_) all = all && IsTerminal(d.State(id));
    }
    for (const auto& [id, ref] : acked_) {
      const JobSnapshot job = d.Get(id);
      EXPECT_EQ(job.state, JobState::kSucceeded);
      EXPECT_EQ(*job.result, ResultOf(ref)) << "another attempt's result took the place of an acknowledged one";
    }
    EXPECT_EQ(d.Pool().workers_busy, 0);
    EXPECT_GT(acked_.size(), 10u);
    last.stream.reset();
  }

 private:
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool Chance(size_t one_in) { return Below(one_in) == 0; }

  void Step() {
    const size_t what = Below(20);
    if (what < 4) {
      JobSpec spec = DispatchFixture::Spec(Chance(2) ? "a" : "b");
      spec.retry = {.max_attempts = 5, .initial_backoff = 1s, .max_backoff = 1s};
      if (Chance(4)) spec.run_timeout = 20s;
      if (Chance(4)) spec.placement.require = Chance(2) ? LabelSet{{"x", "1"}} : LabelSet{{"x", "1"}, {"y", "1"}};
      if (Chance(4)) spec.placement.prefer = {{"y", "1"}};
      const std::string payload(Chance(8) ? dispatch::kLeaseInlineBytes + 1 + Below(1000) : Below(10), 'x');
      spec.payload = MakeBytes(payload);
      jobs_.push_back(d_->Submit(spec));
      payloads_[jobs_.back()] = payload.size();
    } else if (what < 6) {
      d_->Advance(std::chrono::milliseconds(Below(Chance(10) ? 40'000 : 2'000)));
    } else if (what == 6 && !jobs_.empty()) {
      const JobId id = jobs_[Below(jobs_.size())];
      if (!acked_.contains(id)) d_->Cancel(id).status().ok();
    } else if (what == 7 && processes_.size() < 6) {
      processes_.push_back({.key = std::to_string(++keys_), .kinds = Kinds()});
      Process& it = processes_.back();
      if (Chance(2)) it.labels["x"] = "1";
      if (Chance(2)) it.labels["y"] = "1";
      it.reads_payloads = Chance(2);
      it.cost_of_b = 1 + static_cast<int64_t>(Below(4));
      Connect(processes_.back());
    } else if (!processes_.empty()) {
      const size_t at = Below(processes_.size());
      Act(at);
    }
  }

  std::vector<std::string> Kinds() {
    if (Chance(3)) return {"a"};
    if (Chance(2)) return {"b"};
    return {"a", "b"};
  }

  void Act(size_t at) {
    Process& it = processes_[at];
    if (it.stream == nullptr) {
      if (Chance(2)) Connect(it);
      if (Chance(40)) Die(at);
      return;
    }
    switch (Below(14)) {
      case 12:
        if (!it.running.empty()) Save(it, Below(it.running.size()));
        break;
      case 13:
        d_->dispatcher.leases().SetDrained("w" + it.key, Chance(3)).status().ok();
        break;
      case 0:
        if (Chance(4)) return Die(at);
        break;
      case 1:
        if (!Chance(3)) break;
        it.stream->Break();
        it.stream.reset();
        return;
      case 2:
        if (Chance(4)) Connect(it);  // A newer stream of the same process, before the older has ended.
        break;
      case 3:
        it.stream->Say({.held = Held(it)}).ok();
        break;
      case 4:
      case 5:
        it.stream->Grant(it.received + static_cast<int64_t>(Below(4)));
        break;
      case 6:
        if (!it.running.empty()) Fail(it, Below(it.running.size()));
        break;
      case 7:
        if (!it.running.empty()) GiveBack(it, Below(it.running.size()));
        break;
      case 8:
        if (!it.running.empty()) Write(it, Below(it.running.size()));
        break;
      default:
        if (!it.running.empty()) Succeed(it, Below(it.running.size()));
    }
    Listen(it);
  }

  static std::vector<LeaseRef> Held(const Process& it) {
    std::vector<LeaseRef> held;
    for (const Lease& lease : it.running) held.push_back(lease.ref);
    return held;
  }

  void Connect(Process& it) {
    WorkerOffer offer{.worker = "w" + it.key, .key = it.key, .slots = 4};
    for (const std::string& kind : it.kinds) {
      offer.kinds.push_back({.name = kind, .slots = kind == "b" ? static_cast<int>(it.cost_of_b) : 1});
    }
    offer.labels = it.labels;
    offer.reads_payloads = it.reads_payloads;
    for (const Lease& lease : it.running) offer.held.push_back({lease.ref});
    for (const Lease& lease : it.unacked) offer.held.push_back({lease.ref, true});
    auto stream = std::make_unique<FakeWorker>(*d_, offer);
    if (it.stream != nullptr) it.stream->Forget();
    it.stream = std::move(stream);
    it.received = 0;
    for (const LeaseRef& ref : it.stream->lost) Drop(it, ref);
    for (const Lease& lease : it.unacked) Tell(it, lease);
    Listen(it);
  }

  void Die(size_t at) {
    Process& it = processes_[at];
    if (it.stream != nullptr) it.stream->Leave(Chance(2) ? Leases::Leaving::kGoodbye : Leases::Leaving::kBroken);
    processes_.erase(processes_.begin() + static_cast<ptrdiff_t>(at));
  }

  void Listen(Process& it) {
    it.stream->Look();
    dispatch::WorkerNews news = std::exchange(it.stream->news, {});
    EXPECT_FALSE(news.replaced);
    for (Lease& lease : news.given) {
      it.received += lease.spec->kind == "b" ? it.cost_of_b : 1;
      if (Chance(8)) continue;  // It never hears of it.
      Look(it, lease);
      if (!Chance(8)) it.stream->Accept(lease);
      it.running.push_back(std::move(lease));
    }
    for (const dispatch::LeaseStop& stop : news.revoked) Drop(it, stop.ref);
    for (const LeaseRef& ref : news.unknown) Drop(it, ref);
    for (const dispatch::LeaseStop& stop : news.stopped) {
      if (Chance(2)) Drop(it, stop.ref);  // It stops, and says nothing of it before the next list.
    }
    for (const LeaseRef& ref : news.acked) Acked(it, ref);
    for (const dispatch::LeaseStop& stop : std::exchange(it.stream->refused, {})) {
      EXPECT_EQ(stop.why.reason(), "LEASE_LOST");
      // Refused, or known already and its acknowledgement was lost.
      if (d_->dispatcher.leases().AckAgain(it.stream->holder(), stop.ref)) continue;
      Drop(it, stop.ref);
      std::erase_if(it.unacked, [&](const Lease& lease) { return lease.ref == stop.ref; });
    }
  }

  // The lease is for such a worker, and complete.
  void Look(const Process& it, const Lease& lease) {
    const LabelSet& required = lease.spec->placement.require;
    for (const auto& [name, value] : required) {
      auto has = it.labels.find(name);
      EXPECT_TRUE(has != it.labels.end() && has->second == value) << "it has not the label " << name;
    }
    const size_t size = payloads_.at(lease.ref.job);
    if (lease.payload_apart == 0) {
      EXPECT_EQ(PayloadOf(*lease.spec).size(), size);
    } else {
      EXPECT_EQ(lease.payload_apart, static_cast<int64_t>(size));
      auto payload = d_->dispatcher.leases().ReadPayload(lease.ref);
      if (payload.ok()) {
        EXPECT_EQ((*payload)->size(), size);
      }
      EXPECT_TRUE(payload.ok() || payload.status().reason() == "LEASE_LOST") << payload.status().ToString();
    }
    auto saved = checkpoints_.find(lease.ref.job);
    const std::string expected = saved == checkpoints_.end() ? "" : saved->second;
    EXPECT_EQ(lease.checkpoint == nullptr ? "" : *lease.checkpoint, expected);
  }
  // Where its attempt is still its own, the next one gets this.
  void Save(Process& it, size_t which) {
    const LeaseRef ref = it.running[which].ref;
    const std::string bytes = Chance(4) ? "" : std::to_string(++saved_);
    const size_t before = it.stream->refused.size();
    dispatch::WorkerWords words;
    words.shown.push_back({.ref = ref, .progress = {}, .log = {}, .checkpoint = bytes});
    it.stream->Say(std::move(words)).ok();
    if (it.stream->refused.size() == before) checkpoints_[ref.job] = bytes;
  }

  static void Drop(Process& it, const LeaseRef& ref) {
    std::erase_if(it.running, [&](const Lease& lease) { return lease.ref == ref; });
  }

  void Acked(Process& it, const LeaseRef& ref) {
    const auto ours = std::find_if(it.unacked.begin(), it.unacked.end(), [&](const Lease& l) { return l.ref == ref; });
    if (ours == it.unacked.end()) return;  // A failure's.
    it.unacked.erase(ours);
    const JobSnapshot job = d_->Get(ref.job);
    if (job.state == JobState::kCancelled || job.history.back().result == AttemptResult::kTimedOut) return;
    EXPECT_TRUE(acked_.try_emplace(ref.job, ref).second) << "job " << ref.job.ToString() << " ended twice";
  }

  static void Tell(Process& it, const Lease& lease) { it.stream->Succeed(lease, ResultOf(lease.ref)); }
  void Succeed(Process& it, size_t which) {
    it.unacked.push_back(it.running[which]);
    it.running.erase(it.running.begin() + static_cast<ptrdiff_t>(which));
    Tell(it, it.unacked.back());
  }
  // By a call of its own, whose answer is lost at times: then it is told once more.
  void Write(Process& it, size_t which) {
    const LeaseRef ref = it.running[which].ref;
    it.unacked.push_back(it.running[which]);
    Drop(it, ref);
    const Status status = d_->WriteResult(ref, ResultOf(ref));
    if (Chance(4)) return;
    if (status.ok()) return Acked(it, ref);
    EXPECT_EQ(status.reason(), "LEASE_LOST");
    it.unacked.pop_back();
  }
  static void Fail(Process& it, size_t which) {
    const Lease lease = it.running[which];
    Drop(it, lease.ref);
    it.stream->Fail(lease);
  }
  static void GiveBack(Process& it, size_t which) {
    const Lease lease = it.running[which];
    Drop(it, lease.ref);
    it.stream->Say({.released = {lease.ref}}).ok();
  }

  std::mt19937 random_;
  DispatchFixture* d_ = nullptr;
  std::vector<JobId> jobs_;
  std::vector<Process> processes_;
  std::map<JobId, LeaseRef> acked_;
  std::map<JobId, size_t> payloads_;
  std::map<JobId, std::string> checkpoints_;
  int saved_ = 0;
  int keys_ = 0;
};

class LeasesAtRandom : public testing::TestWithParam<unsigned> {};

TEST_P(LeasesAtRandom, NothingThatWasAcknowledgedIsLostAndEveryJobEnds) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  LeasingRunner remote;
  store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
  DispatchSetup setup{.pools = {{.name = "default", .runner = "remote"}},
                      .options = {.finished_age_min = Nanos(0), .losses_max = 1'000'000, .seed = 1},
                      .journal = &journal,
                      .remote = &remote};
  if (GetParam() % 2 == 0) setup.options.hot_bytes_max = 2000;  // Many jobs go cold while they wait.
  Story story(GetParam());
  if (GetParam() % 3 == 0) {  // Without a disk: what is written is committed at once, and there is one life.
    store::MemoryJournal memory(store::MemoryJournal::Keep::kEnded);
    setup.journal = &memory;
    setup.options.finished_age_min = 1h;  // Nothing is forgotten.
    WithDispatcher(setup, [&](DispatchFixture& d) {
      story.Live(d, 1200);
      story.End(d);
    });
    return;
  }
  for (int life = 0; life < 3; ++life) {
    WithDispatcher(setup, [&](DispatchFixture& d) { story.Live(d, 400); });
  }
  WithDispatcher(setup, [&](DispatchFixture& d) { story.End(d); });
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeasesAtRandom, testing::Range(1u, 41u));

}  // namespace
}  // namespace millrace::test
