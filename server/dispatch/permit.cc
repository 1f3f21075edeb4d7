#include "dispatch/permit.h"

#include <algorithm>

#include "base/check.h"
#include "dispatch/ready_queue.h"

namespace millrace::dispatch {

Pool* Permits::TakeOneServable() {
  Pool* pool = servable_.back();
  servable_.pop_back();
  return pool;
}

void Permits::GiveBack(JobEntry& job) {
  if (!job.permitted) return;
  job.permitted = false;
  for (Permit* permit : job.ties->permits) permit->GiveBackOne();
}

Permit::~Permit() {
  MR_CHECK(waiting_.empty() && held_ == 0, "a permit ended that %lld jobs hold%s", static_cast<long long>(held_),
           waiting_.empty() ? "" : " and others wait for");
}

void Permit::SetLimit(int64_t limit) {
  limit_ = limit;
  Settle();
}

void Permit::GiveBackOne() {
  MR_CHECK(held_ > 0, "a permit was given back that nobody held");
  --held_;
  Settle();
}

bool Permit::TakeFor(Line& line) {
  auto lacking =
      std::find_if(line.permits->begin(), line.permits->end(), [](const Permit* each) { return each->free() <= 0; });
  Permit* const woke = line.woken ? line.permit : nullptr;
  if (lacking == line.permits->end()) {
    for (Permit* permit : *line.permits) ++permit->held_;
    // A place less is free there, and a woken line less.
    if (woke != nullptr) woke->Unwake(line);
    return true;
  }
  line.home->queue->Withdraw(line);
  if (woke != nullptr) woke->Unwake(line);
  line.permit = *lacking;
  Waiting& waiting = line.permit->Of(line);
  waiting.lines.of(line.band).Add(&line);
  ++waiting.count;
  return false;
}

Permit::Waiting& Permit::Of(const Line& line) {
  auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& each) { return each.kind == line.home; });
  if (found != waiting_.end()) return *found;
  Waiting& added = waiting_.emplace_back();
  added.kind = line.home;
  return added;
}

void Permit::Update(Line& line) { Of(line).lines.of(line.band).Update(&line); }

void Permit::Leave(Line& line) {
  Waiting& waiting = Of(line);
  waiting.lines.of(line.band).Remove(&line);
  --waiting.count;
  line.permit = nullptr;
  Settle();
}

void Permit::Unwake(Line& line) {
  --Of(line).woken;
  line.woken = false;
  line.permit = nullptr;
  Settle();
}

void Permit::Settle() {
  for (Waiting& waiting : waiting_) {
    while (waiting.count > 0 && waiting.woken < free()) {
      Line& line = *waiting.lines.First(/*best_band=*/++waiting.wakes % BandedHeaps<Line>::kAgeingTurns != 0);
      waiting.lines.of(line.band).Remove(&line);
      --waiting.count;
      ++waiting.woken;
      line.woken = true;
      Pool* pool = line.jobs.front()->pool;
      line.home->queue->Offer(line);
      if (std::find(all_.servable_.begin(), all_.servable_.end(), pool) == all_.servable_.end()) {
        all_.servable_.push_back(pool);
      }
    }
  }
  std::erase_if(waiting_, [](const Waiting& each) { return each.count == 0 && each.woken == 0; });
}

void Permit::CheckInvariants() const {
  MR_CHECK(held_ >= 0, "a permit was given back more often than taken");
  for (const Waiting& waiting : waiting_) {
    MR_CHECK(waiting.count >= 0 && waiting.woken >= 0 && waiting.count + waiting.woken > 0,
             "a permit counts %lld lines that wait and %lld woken ones", static_cast<long long>(waiting.count),
             static_cast<long long>(waiting.woken));
    MR_CHECK(waiting.count == 0 || waiting.woken >= free(), "a line waits for a permit that is free");
  }
}

}  // namespace millrace::dispatch
