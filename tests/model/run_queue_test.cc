// server/runtime/run_queue.h, the real one with rings of four: whatever the owner and the thieves do at the same time,
// each fiber comes out exactly once, and whoever takes it sees what was written before it was pushed.
#include "runtime/run_queue.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/model/explore.h"

namespace millrace::model {
namespace {

using rt::Fiber;
using Ring = rt::RunQueueOf<4>;

// Fibers by number, from 1; each holds something that its taker must be able to read.
class Fibers {
 public:
  static constexpr size_t kMax = 10;

  Fiber* Make() {
    ++made_;
    content_[made_].Set(static_cast<int>(made_));
    return reinterpret_cast<Fiber*>(made_);
  }
  void Take(Fiber* fiber) {
    size_t number = reinterpret_cast<size_t>(fiber);
    Check(number >= 1 && number <= made_, "a fiber out of nowhere");
    Check(content_[number].Get() == static_cast<int>(number), "a fiber without what was written to it");
    ++taken_[number];
    Check(taken_[number] == 1, "a fiber was taken twice");
  }
  void Drain(Ring& ring) {
    bool inherits;
    while (Fiber* fiber = ring.Pop(&inherits)) Take(fiber);
  }
  void CheckAllTaken() const {
    for (size_t i = 1; i <= made_; ++i) Check(taken_[i] == 1, "a fiber is lost");
  }

 private:
  size_t made_ = 0;
  std::array<Plain<int>, kMax + 1> content_;
  std::array<int, kMax + 1> taken_{};
};

// A ring in the middle of its life: the next push goes to slot `turned`.
void Turn(Ring& ring, int turned) {
  bool inherits;
  for (int i = 0; i < turned; ++i) {
    ring.Push(reinterpret_cast<Fiber*>(size_t{99}));
    ring.Pop(&inherits);
  }
}

void PopOne(Ring& ring, Fibers& fibers) {
  bool inherits;
  if (Fiber* fiber = ring.Pop(&inherits)) fibers.Take(fiber);
}

// As the scheduler does it: what does not fit goes elsewhere, by the half.
void PushOrGiveHalfAway(Ring& ring, Fibers& fibers, Fiber* fiber) {
  while (!ring.Push(fiber)) {
    std::array<Fiber*, Ring::kCapacity / 2> half;
    uint32_t count = ring.TakeHalf(half);
    for (uint32_t i = 0; i < count; ++i) fibers.Take(half[i]);
  }
}

void Steal(Ring& victim, Fibers& fibers, bool take_next) {
  Ring mine;
  uint32_t stolen = 0;
  if (Fiber* fiber = victim.StealInto(mine, take_next, &stolen)) fibers.Take(fiber);
  fibers.Drain(mine);
}

Options For(const char* name, const std::vector<Mutation>& mutations) {
  return {.name = name, .mutations = mutations, .quiet = !mutations.empty()};
}

Result PushPopSteal(const std::vector<Mutation>& mutations) {
  return Explore(For("ring: push, pop, pop | steal", mutations), [](Scene& scene) {
    Ring ring;
    Fibers fibers;
    Turn(ring, 3);
    ring.Push(fibers.Make());
    scene.Thread("owner", [&] {
      ring.Push(fibers.Make());
      PopOne(ring, fibers);
      PopOne(ring, fibers);
    });
    scene.Thread("thief", [&] { Steal(ring, fibers, false); });
    scene.Run();
    fibers.Drain(ring);
    fibers.CheckAllTaken();
  });
}

Result TwoThieves(const std::vector<Mutation>& mutations) {
  return Explore(For("ring: pop, push | steal | steal", mutations), [](Scene& scene) {
    Ring ring;
    Fibers fibers;
    Turn(ring, 2);
    for (int i = 0; i < 3; ++i) ring.Push(fibers.Make());
    scene.Thread("owner", [&] {
      PopOne(ring, fibers);
      ring.Push(fibers.Make());
    });
    scene.Thread("thief", [&] { Steal(ring, fibers, false); });
    scene.Thread("rival", [&] { Steal(ring, fibers, false); });
    scene.Run();
    fibers.Drain(ring);
    fibers.CheckAllTaken();
  });
}

// The thief copies slots that the owner fills again before the thief has taken them.
Result FullRing(const std::vector<Mutation>& mutations) {
  return Explore(For("full ring: push, push | steal", mutations), [](Scene& scene) {
    Ring ring;
    Fibers fibers;
    Turn(ring, 1);
    for (int i = 0; i < 4; ++i) ring.Push(fibers.Make());
    scene.Thread("owner", [&] {
      PushOrGiveHalfAway(ring, fibers, fibers.Make());
      PushOrGiveHalfAway(ring, fibers, fibers.Make());
    });
    scene.Thread("thief", [&] { Steal(ring, fibers, false); });
    scene.Run();
    fibers.Drain(ring);
    fibers.CheckAllTaken();
  });
}

Result NextSlot(const std::vector<Mutation>& mutations) {
  return Explore(For("slot: ready, pop | steal | steal", mutations), [](Scene& scene) {
    Ring ring;
    Fibers fibers;
    scene.Thread("owner", [&] {
      ring.PushNext(fibers.Make());
      PopOne(ring, fibers);
    });
    scene.Thread("thief", [&] { Steal(ring, fibers, true); });
    scene.Thread("rival", [&] { Steal(ring, fibers, true); });
    scene.Run();
    fibers.Drain(ring);
    fibers.CheckAllTaken();
  });
}

Result KickOut(const std::vector<Mutation>& mutations) {
  return Explore(For("slot: ready, kick out, take back | steal", mutations), [](Scene& scene) {
    Ring ring;
    Fibers fibers;
    ring.PushNext(fibers.Make());
    scene.Thread("owner", [&] {
      if (Fiber* displaced = ring.PushNext(fibers.Make())) ring.Push(displaced);
      if (Fiber* next = ring.TakeNext()) ring.Push(next);
    });
    scene.Thread("thief", [&] { Steal(ring, fibers, true); });
    scene.Run();
    fibers.Drain(ring);
    fibers.CheckAllTaken();
  });
}

// What one thief has stolen is stolen from it at once.
Result ThiefOfAThief(const std::vector<Mutation>& mutations) {
  return Explore(For("rings: steal | steal from the thief", mutations), [](Scene& scene) {
    Ring ring, second, third;
    Fibers fibers;
    for (int i = 0; i < 4; ++i) ring.Push(fibers.Make());
    scene.Thread("thief", [&] {
      uint32_t stolen = 0;
      if (Fiber* fiber = ring.StealInto(second, false, &stolen)) fibers.Take(fiber);
      PopOne(second, fibers);
    });
    scene.Thread("thief's thief", [&] { Steal(second, fibers, false); });
    scene.Run();
    for (Ring* one : {&ring, &second}) fibers.Drain(*one);
    fibers.CheckAllTaken();
  });
}

// While one of two fibers goes from the slot to the ring, the queue is never empty (Go's RunSchedLocalQueueEmptyTest).
Result NeverEmpty(const std::vector<Mutation>& mutations) {
  return Explore(For("slot: kick out, pop | empty?", mutations), [](Scene& scene) {
    Ring ring;
    Fibers fibers;
    ring.PushNext(fibers.Make());
    scene.Thread("owner", [&] {
      if (Fiber* displaced = ring.PushNext(fibers.Make())) ring.Push(displaced);
      PopOne(ring, fibers);
    });
    scene.Thread("looker", [&] { Check(!ring.Empty(), "looks empty with a fiber in it"); });
    scene.Run();
  });
}

const std::vector<Program> kPrograms = {&PushPopSteal, &FullRing, &NextSlot, &KickOut, &ThiefOfAThief, &NeverEmpty};

TEST(RunQueueModel, EachFiberComesOutOnceInEveryOrder) {
  for (const Program& program : kPrograms) {
    Result result = program({});
    EXPECT_TRUE(result.held) << result.story;
  }
  Result result = TwoThieves({});
  EXPECT_TRUE(result.held) << result.story;
}

// Two kinds survive. The orderings of head_ keep a slot from being filled again before it has been read; a model in
// which no load sees a store of the future cannot show that. And those of an idle look that has nothing to pair with:
// TakeNext, whose fiber comes to the ring after it, and three of the four loads of Empty, which hang on the one of
// next_.
TEST(RunQueueModel, WithoutAnyOtherOrderingOrWithoutACompareAndSwapItFails) {
  const std::set<std::string> expected = {
      "RunQueueOf<kSlots>::Empty: load seq_cst",       "RunQueueOf<kSlots>::Pop: cas acq_rel",
      "RunQueueOf<kSlots>::Pop: load acquire",         "RunQueueOf<kSlots>::Push: load acquire",
      "RunQueueOf<kSlots>::StealInto: cas acq_rel",    "RunQueueOf<kSlots>::StealInto: load acquire",
      "RunQueueOf<kSlots>::TakeHalf: cas acq_rel",     "RunQueueOf<kSlots>::TakeHalf: load acquire",
      "RunQueueOf<kSlots>::TakeNext: exchange acq_rel"};
  EXPECT_EQ(Survivors("run_queue.h", kPrograms), expected);
}

}  // namespace
}  // namespace millrace::model
