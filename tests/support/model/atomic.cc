#include "tests/support/model/atomic.h"

namespace millrace::model {

void CreateAtomic(const void* address, uint64_t value) {
  Execution& execution = Execution::Current();
  execution.memory().Create(address, value, execution.self());
}

void DestroyAtomic(const void* address) {
  Execution& execution = Execution::Current();
  int location = execution.memory().Find(address);
  if (location == Memory::kNone) return;
  if (!execution.memory().Destroy(location, execution.self()) && !execution.over())
    execution.Fail("an atomic variable is destroyed while another thread may still use it");
}

int FindAtomic(const void* address, uint64_t value) {
  Memory& memory = Execution::Current().memory();
  int location = memory.Find(address);
  return location != Memory::kNone ? location : memory.Create(address, value, 0);
}

uint64_t DoLoad(int location, std::memory_order order, const Where& where) {
  Execution& execution = Execution::Current();
  Op op{OpKind::kLoad, location, order, where};
  execution.Await(op);
  size_t age = execution.Choose(execution.memory().Readable(location, execution.self(), op.order));
  uint64_t value = execution.memory().Read(location, execution.self(), op.order, age);
  execution.Record(op, "load", value, value, age > 0);
  return value;
}

void DoStore(int location, uint64_t value, std::memory_order order, const Where& where) {
  Execution& execution = Execution::Current();
  Op op{OpKind::kStore, location, order, where};
  if (execution.Skips(op)) return;
  execution.Await(op);
  uint64_t old = execution.memory().Peek(location);
  execution.memory().Write(location, execution.self(), op.order, value);
  execution.Record(op, "store", old, value);
}

bool DoCas(int location, uint64_t& expected, uint64_t desired, std::memory_order success, std::memory_order failure,
           const Where& where) {
  Execution& execution = Execution::Current();
  Memory& memory = execution.memory();
  Op op{OpKind::kCas, location, success, where};
  if (execution.Splits(op)) {
    uint64_t value = DoLoad(location, success, where);
    if (value != expected) {
      expected = value;
      return false;
    }
    DoStore(location, desired, success, where);
    return true;
  }
  execution.Await(op);
  if (op.order == std::memory_order_relaxed) failure = std::memory_order_relaxed;
  // It may fail for any value that a load may see, and succeeds only with the newest.
  std::array<size_t, 16> ages{};
  size_t count = 1;
  size_t readable = memory.Readable(location, execution.self(), failure);
  for (size_t age = 1; age < readable && count < ages.size(); ++age) {
    if (memory.Peek(location, age) != expected) ages[count++] = age;
  }
  size_t age = ages[execution.Choose(count)];
  if (age == 0 && memory.Peek(location) == expected) {
    memory.ReadWrite(location, execution.self(), op.order, desired);
    execution.Record(op, "cas", expected, desired);
    return true;
  }
  uint64_t value = memory.Read(location, execution.self(), failure, age);
  execution.Record(op, "cas failed", value, value, age > 0);
  expected = value;
  return false;
}

uint64_t DoChange(int location, OpKind kind, uint64_t (*change)(uint64_t, uint64_t, size_t), uint64_t operand,
                  size_t bytes, std::memory_order order, const Where& where) {
  Execution& execution = Execution::Current();
  Op op{kind, location, order, where};
  if (execution.Splits(op)) {
    uint64_t old = DoLoad(location, order, where);
    DoStore(location, change(old, operand, bytes), order, where);
    return old;
  }
  execution.Await(op);
  uint64_t old = execution.memory().Peek(location);
  uint64_t value = change(old, operand, bytes);
  execution.memory().ReadWrite(location, execution.self(), op.order, value);
  execution.Record(op, kind == OpKind::kExchange ? "exchange" : "change", old, value);
  return old;
}

void Fence(std::memory_order order, const Where& where) {
  if (!Execution::Exists()) return;
  Execution& execution = Execution::Current();
  Op op{OpKind::kFence, Memory::kNone, order, where};
  if (execution.Skips(op)) return;
  execution.Await(op);
  execution.memory().Fence(execution.self(), op.order);
  execution.Record(op, "fence", 0, 0);
}

void FutexWait(const void* address, uint64_t expected, const Where& where) {
  Execution& execution = Execution::Current();
  int location = execution.memory().Find(address);
  Op op{OpKind::kFutexWait, location, std::memory_order_relaxed, where};
  execution.Await(op);
  uint64_t value = execution.memory().Peek(location);
  if (value != expected || execution.TakeEarlyReturn()) {
    execution.Record(op, "futex wait returned", value, expected);
    return;
  }
  execution.Record(op, "futex wait sleeps", value, expected);
  execution.Block(location);
}

void FutexWake(const void* address, int count, const Where& where) {
  Execution& execution = Execution::Current();
  int location = execution.memory().Find(address);
  Op op{OpKind::kFutexWake, location, std::memory_order_relaxed, where};
  if (execution.Skips(op)) return;
  execution.Await(op);
  std::vector<size_t> waiting = execution.BlockedAt(location);
  uint64_t woken = 0;
  for (; count > 0 && !waiting.empty(); --count, ++woken) {
    size_t one = execution.Choose(waiting.size());
    execution.Wake(waiting[one]);
    waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(one));
  }
  execution.Record(op, "futex wake", waiting.size(), woken);
}

void Relax(const Where& where) {
  if (!Execution::Exists()) return;
  Execution& execution = Execution::Current();
  if (execution.SpinsOut()) return;
  Op op{OpKind::kRelax, Memory::kNone, std::memory_order_relaxed, where};
  execution.Await(op);
  execution.memory().CatchUp(execution.self());
}

}  // namespace millrace::model
