#include "tests/support/model/execution.h"

#include <bit>
#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>
#include <utility>

namespace millrace::model {

namespace {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

constexpr size_t kStackBytes = 64 << 10;
constexpr size_t kNobody = ~size_t{0};
constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

Execution* current = nullptr;

constexpr uint32_t Bit(size_t thread) { return uint32_t{1} << thread; }

bool Writes(const Op& op) {
  return op.kind == OpKind::kStore || op.kind == OpKind::kExchange || op.kind == OpKind::kAdd ||
         op.kind == OpKind::kCas;
}

// Whoever is switched to notes where the other one stopped.
void Jump(void* to, void** save) {
  transfer_t from = jump_fcontext(to, save);
  *static_cast<void**>(from.data) = from.fctx;
}

}  // namespace

Execution& Execution::Current() {
  if (current == nullptr) abort();
  return *current;
}
bool Execution::Exists() { return current != nullptr; }

Execution::Execution(const Options& options) : options_(options) {
  threads_.push_back(std::make_unique<ThreadRecord>());
  threads_[0]->name = "body";
}

// ---- Threads ------------------------------------------------------------------------------------------------------

ThreadRecord& Execution::NewThread() {
  if (used_ == kThreadsMax) Fail("too many threads");
  if (used_ == threads_.size()) threads_.push_back(std::make_unique<ThreadRecord>());
  ThreadRecord& record = *threads_[used_++];
  if (record.stack == nullptr) record.stack = std::make_unique_for_overwrite<char[]>(kStackBytes);
  record.parked = record.helper = false;
  record.spins_left = 0;
  record.fiber = nullptr;
  return record;
}

void ThreadEntry(Execution& execution) {
  for (;;) {
    execution.threads_[execution.self_]->body();
    execution.EndThread();
  }
}

void Execution::Prepare(ThreadRecord& record) {
  record.context = make_fcontext(record.stack.get() + kStackBytes, kStackBytes, [](transfer_t from) noexcept {
    *static_cast<void**>(from.data) = from.fctx;
    ThreadEntry(Current());
  });
}

void Execution::SwitchTo(size_t thread) {
  size_t before = std::exchange(self_, thread);
  Jump(threads_[thread]->context, &threads_[before]->context);
}

void Execution::LeaveToMain() {
  size_t before = std::exchange(self_, 0);
  Jump(main_context_, &threads_[before]->context);
}

void Execution::EndThread() {
  ThreadRecord& self = *threads_[self_];
  self.state = self.helper ? ThreadRecord::State::kIdle : ThreadRecord::State::kFinished;
  memory_.HandOver(self_, 0);
  GoOnElsewhere();
}

void Execution::GoOnElsewhere() {
  size_t next = PickNext();
  if (next == kNobody) {
    LeaveToMain();
  } else if (next != self_) {
    SwitchTo(next);
  }
}

void Execution::Add(const char* name, std::function<void()> body, void* fiber) {
  ThreadRecord& record = NewThread();
  record.name = name;
  record.body = std::move(body);
  record.state = ThreadRecord::State::kReady;
  record.fiber = fiber;
  Prepare(record);
}

size_t Execution::AddLater(const char* name, std::function<void()> body) {
  Add(name, std::move(body), nullptr);
  threads_[used_ - 1]->state = ThreadRecord::State::kIdle;
  return used_ - 1;
}

void Execution::StartLater(size_t thread) {
  if (threads_[thread]->state != ThreadRecord::State::kIdle) Fail("a thread is started twice");
  threads_[thread]->state = ThreadRecord::State::kReady;
  memory_.HandOver(self_, thread);
}

void Execution::Run() {
  running_ = true;
  // Everybody runs up to its first operation: what comes before it concerns nobody else.
  priming_ = true;
  const size_t all = used_;
  for (size_t i = 1; i < all && failure_.empty(); ++i) {
    if (threads_[i]->state == ThreadRecord::State::kIdle) continue;
    memory_.HandOver(0, i);
    self_ = i;
    Jump(threads_[i]->context, &main_context_);
  }
  priming_ = false;
  if (failure_.empty()) {
    self_ = 0;
    if (size_t first = PickNext(); first != kNobody) {
      self_ = first;
      Jump(threads_[first]->context, &main_context_);
    }
  }
  self_ = 0;
  running_ = false;
  if (!failure_.empty() || pruned_) throw Abandoned();
  memory_.CatchUp(0);
}

void Execution::Park(std::function<void()> after) {
  ThreadRecord& self = *threads_[self_];
  self.state = ThreadRecord::State::kBlocked;
  self.op.location = Memory::kNone;
  self.parked = true;
  size_t helper = 0;
  for (size_t i = 1; i < used_ && helper == 0; ++i) {
    if (threads_[i]->helper && threads_[i]->state == ThreadRecord::State::kIdle) helper = i;
  }
  if (helper == 0) {
    ThreadRecord& record = NewThread();
    helper = used_ - 1;
    record.helper = true;
    Prepare(record);
  }
  ThreadRecord& record = *threads_[helper];
  record.name = self.name + "'s machine";
  record.body = std::move(after);
  record.state = ThreadRecord::State::kReady;
  memory_.HandOver(self_, helper);
  SwitchTo(helper);
}

void Execution::Resume(void* fiber) {
  for (size_t i = 1; i < used_; ++i) {
    ThreadRecord& record = *threads_[i];
    if (record.fiber != fiber) continue;
    if (!record.parked) Fail("Ready of a fiber that is not parked");
    record.parked = false;
    record.state = ThreadRecord::State::kReady;
    memory_.HandOver(self_, i);
    return;
  }
  Fail("Ready of something that is no fiber");
}

// ---- Steps --------------------------------------------------------------------------------------------------------

bool Execution::HasFault(const Op& op, Fault fault) const {
  for (const Mutation& mutation : options_.mutations) {
    if (mutation.fault == fault && Matches(mutation, op)) return true;
  }
  return false;
}

bool Execution::Matches(const Mutation& mutation, const Op& op) const {
  return mutation.kind == op.kind && (mutation.line == 0 || mutation.line == op.where.line()) &&
         std::string_view(op.where.function_name()).find(mutation.function) != std::string_view::npos;
}

void Execution::Await(Op& op) {
  NoteWeaker(op);
  if (!options_.mutations.empty() && HasFault(op, Fault::kRelaxed)) op.order = std::memory_order_relaxed;
  ThreadRecord& self = *threads_[self_];
  if (op.kind != OpKind::kLoad && op.kind != OpKind::kRelax) self.spins_left = 0;
  if (running_ && self.spins_left == 0) {
    self.state = ThreadRecord::State::kAtOp;
    self.op = op;
    if (priming_) {
      LeaveToMain();
    } else {
      GoOnElsewhere();
    }
    if (++steps_ > options_.steps_max) Fail("more than " + std::to_string(options_.steps_max) + " steps");
  }
  memory_.Tick(self_);
  if (op.location != Memory::kNone && op.kind != OpKind::kFutexWake && !over()) {
    if (const char* wrong = memory_.Judge(op.location, self_); wrong != nullptr) {
      Record(op, "touches", 0, 0);
      Fail(wrong);
    }
  }
}

void Execution::Block(int location) {
  ThreadRecord& self = *threads_[self_];
  self.state = ThreadRecord::State::kBlocked;
  self.op.location = location;
  GoOnElsewhere();
}

std::vector<size_t> Execution::BlockedAt(int location) const {
  std::vector<size_t> blocked;
  for (size_t i = 1; i < used_; ++i) {
    const ThreadRecord& record = *threads_[i];
    if (record.state == ThreadRecord::State::kBlocked && !record.parked && record.op.location == location)
      blocked.push_back(i);
  }
  return blocked;
}

bool Execution::TakeEarlyReturn() {
  if (early_returns_ >= options_.early_returns || Choose(2) == 0) return false;
  ++early_returns_;
  return true;
}

int Execution::TellTime() {
  if (seconds_ < options_.clock_jumps && Choose(2) == 1) ++seconds_;
  return seconds_;
}

bool Execution::SpinsOut() {
  constexpr int kVainSpins = 100;  // More than any bounded loop of ours makes.
  int& left = threads_[self_]->spins_left;
  if (left > 0) return --left > 0;
  if (!running_ || spin_outs_ >= options_.spin_outs || memory_.NewsFor(self_) || Choose(2) == 0) return false;
  ++spin_outs_;
  left = kVainSpins;
  return true;
}

// ---- Decisions ----------------------------------------------------------------------------------------------------

uint32_t Execution::Enabled() const {
  uint32_t enabled = 0, spinning = 0;
  for (size_t i = 1; i < used_; ++i) {
    const ThreadRecord& record = *threads_[i];
    if (record.state == ThreadRecord::State::kReady) {
      enabled |= Bit(i);
    } else if (record.state == ThreadRecord::State::kAtOp) {
      bool waits = record.op.kind == OpKind::kRelax && !memory_.NewsFor(i);
      (waits ? spinning : enabled) |= Bit(i);
    }
  }
  return enabled != 0 ? enabled : spinning;
}

// Do two steps have the same effect in either order, and neither decides whether the other can be done?
bool Execution::Independent(const ThreadRecord& one, const ThreadRecord& other) {
  if (one.state == ThreadRecord::State::kReady || other.state == ThreadRecord::State::kReady) return true;
  const Op &a = one.op, &b = other.op;
  if (a.kind == OpKind::kRelax || b.kind == OpKind::kRelax) return !Writes(a) && !Writes(b);
  bool sequential = a.order == std::memory_order_seq_cst && b.order == std::memory_order_seq_cst;
  if (a.kind == OpKind::kFence || b.kind == OpKind::kFence) return !sequential;
  if (a.location != b.location || a.location == Memory::kNone) return true;
  return a.kind == OpKind::kLoad && b.kind == OpKind::kLoad && !sequential;
}

// The index of the thread that goes on; kNobody when the run is over, for whatever reason.
size_t Execution::PickNext() {
  if (!failure_.empty()) return kNobody;
  uint32_t enabled = Enabled();
  if (enabled == 0) {
    std::string waiting = WhoWaits();
    if (!waiting.empty()) failure_ = "deadlock: " + waiting;
    return kNobody;
  }
  const bool reduces = options_.preemptions < 0 && options_.replay.empty();
  const bool goes_on = self_ != 0 && (enabled & Bit(self_)) != 0 && threads_[self_]->op.kind != OpKind::kRelax;
  uint32_t options = enabled;
  if (reduces) {
    options &= ~asleep_;
    if (options == 0) {
      pruned_ = true;
      return kNobody;
    }
  } else if (goes_on && options_.preemptions >= 0 && preemptions_ >= options_.preemptions) {
    options = Bit(self_);
  }
  size_t preferred = goes_on && (options & Bit(self_)) != 0 ? self_ : std::countr_zero(options);
  size_t chosen = preferred;
  uint32_t done = 0;
  if (std::popcount(enabled) > 1) {
    chosen = Decide(true, options, preferred);
    if (!path_.empty()) done = path_[depth_ - 1].done;
  }
  if (goes_on && chosen != self_) ++preemptions_;
  if (reduces) {
    uint32_t asleep = 0;
    for (uint32_t left = asleep_ | done; left != 0; left &= left - 1) {
      size_t thread = std::countr_zero(left);
      if (thread != chosen && Independent(*threads_[thread], *threads_[chosen])) asleep |= Bit(thread);
    }
    asleep_ = asleep;
  }
  return chosen;
}

size_t Execution::Choose(size_t count) {
  if (!running_ || count < 2) return 0;
  return Decide(false, static_cast<uint32_t>(count), 0);
}

size_t Execution::Decide(bool of_thread, uint32_t options, size_t preferred) {
  size_t chosen = preferred;
  if (depth_ < path_.size()) {
    chosen = path_[depth_].chosen;
  } else {
    if (depth_ < options_.replay.size()) chosen = std::string_view(kDigits).find(options_.replay[depth_]);
    bool possible = of_thread ? (options & Bit(chosen)) != 0 : chosen < options;
    if (!possible) Fail("the schedule to replay is not one of this body");
    path_.push_back({of_thread, options, static_cast<uint32_t>(chosen)});
  }
  ++depth_;
  schedule_ += kDigits[chosen];
  return chosen;
}

// To the next order in depth-first search; false: there is none.
bool Execution::NextOrder() {
  while (!path_.empty()) {
    Decision& last = path_.back();
    if (last.of_thread) {
      last.done |= Bit(last.chosen);
      if (uint32_t left = last.options & ~last.done; left != 0) {
        last.chosen = static_cast<uint32_t>(std::countr_zero(left));
        return true;
      }
    } else if (++last.chosen < last.options) {
      return true;
    }
    path_.pop_back();
  }
  return false;
}

void Execution::Fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
  if (running_ && self_ != 0) LeaveToMain();
  throw Abandoned();
}

// ---- The search ---------------------------------------------------------------------------------------------------

void Execution::RunOnce(const std::function<void(Scene&)>& body) {
  memory_.Reset(options_.outdated_reads);
  // Clocks start at one, so that zero means never.
  for (size_t i = 0; i < kThreadsMax; ++i) memory_.Tick(i);
  used_ = 1;
  self_ = 0;
  depth_ = 0;
  asleep_ = 0;
  preemptions_ = early_returns_ = spin_outs_ = seconds_ = 0;
  steps_ = 0;
  pruned_ = running_ = false;
  schedule_.clear();
  failure_.clear();
  events_.clear();
  Scene scene;
  try {
    body(scene);
  } catch (const Abandoned&) {
  }
  for (size_t i = 1; i < used_; ++i) threads_[i]->body = nullptr;
  ++result_.executions;
  if (pruned_) ++result_.pruned;
  result_.longest = std::max(result_.longest, steps_);
}

Result Execution::Search(const std::function<void(Scene&)>& body) {
  if (current != nullptr) abort();  // Explore within Explore.
  current = this;
  for (;;) {
    RunOnce(body);
    if (!failure_.empty() || !options_.replay.empty()) {
      result_.held = failure_.empty();
      result_.failure = failure_;
      result_.schedule = schedule_;
      result_.story = Story();
      break;
    }
    result_.held = !NextOrder();
    if (result_.held) break;
    if (result_.executions >= options_.executions_max) {
      result_.failure = result_.story = "not all orders tried: more than executions_max";
      break;
    }
  }
  current = nullptr;
  return std::move(result_);
}

}  // namespace millrace::model
