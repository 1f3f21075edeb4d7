// Atomic<T>: what std::atomic<T> is in a program of the model (std_atomic.h). As large as T, like the original. Outside
// of Explore it is a plain variable.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/support/model/execution.h"
#include "tests/support/model/where.h"

namespace millrace::model {

// The operations on 64 bits; atomic.cc.
void CreateAtomic(const void* address, uint64_t value);
void DestroyAtomic(const void* address);
// The variable at `address`, made with `value` when it is older than the execution.
int FindAtomic(const void* address, uint64_t value);
uint64_t DoLoad(int location, std::memory_order order, const Where& where);
void DoStore(int location, uint64_t value, std::memory_order order, const Where& where);
bool DoCas(int location, uint64_t& expected, uint64_t desired, std::memory_order success, std::memory_order failure,
           const Where& where);
// `change` makes the new value of the old.
uint64_t DoChange(int location, OpKind kind, uint64_t (*change)(uint64_t old_value, uint64_t operand, size_t bytes),
                  uint64_t operand, size_t bytes, std::memory_order order, const Where& where);
void Fence(std::memory_order order, const Where& where = Where::current());
// Spinning: goes on when something has changed of what this thread looked at.
void Relax(const Where& where = Where::current());

// Sleeps while the variable at `address` is `expected`. Compares with the newest value: the kernel compares under its
// lock.
void FutexWait(const void* address, uint64_t expected, const Where& where);
// Wakes up to `count` of those who wait; which ones is tried in all ways. The variable may be gone.
void FutexWake(const void* address, int count, const Where& where);

template <typename T>
class Atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  static constexpr auto kSeqCst = std::memory_order_seq_cst;

 public:
  using value_type = T;

  constexpr Atomic() noexcept : Atomic(T()) {}
  constexpr Atomic(T value) noexcept : value_(value) {  // NOLINT: as std::atomic
    if (!std::is_constant_evaluated() && Execution::Exists()) CreateAtomic(this, Bits(value));
  }
  constexpr ~Atomic() {
    if (!std::is_constant_evaluated() && Execution::Exists()) DestroyAtomic(this);
  }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order = kSeqCst, Where where = Where::current()) const {
    return Execution::Exists() ? From(DoLoad(Location(), order, where)) : value_;
  }
  void store(T value, std::memory_order order = kSeqCst, Where where = Where::current()) {
    if (!Execution::Exists()) {
      value_ = value;
      return;
    }
    DoStore(Location(), Bits(value), order, where);
  }
  T exchange(T value, std::memory_order order = kSeqCst, Where where = Where::current()) {
    return Change(
        OpKind::kExchange, [](uint64_t, uint64_t operand, size_t) { return operand; }, Bits(value), order, where);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure,
                               Where where = Where::current()) {
    uint64_t bits = Bits(expected);
    bool done;
    if (Execution::Exists()) {
      done = DoCas(Location(), bits, Bits(desired), success, failure, where);
    } else {
      done = Bits(value_) == bits;
      bits = Bits(value_);
      if (done) value_ = desired;
    }
    if (!done) expected = From(bits);
    return done;
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = kSeqCst,
                               Where where = Where::current()) {
    return compare_exchange_strong(expected, desired, order, OfFailure(order), where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure,
                             Where where = Where::current()) {
    return compare_exchange_strong(expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = kSeqCst,
                             Where where = Where::current()) {
    return compare_exchange_strong(expected, desired, order, OfFailure(order), where);
  }
  T fetch_add(T operand, std::memory_order order = kSeqCst, Where where = Where::current()) requires std::integral<T> {
    return Change(OpKind::kAdd, &Add, Bits(operand), order, where);
  }
  T fetch_sub(T operand, std::memory_order order = kSeqCst, Where where = Where::current()) requires std::integral<T> {
    return Change(OpKind::kAdd, &Add, Bits(static_cast<T>(-operand)), order, where);
  }
  T fetch_and(T operand, std::memory_order order = kSeqCst, Where where = Where::current()) requires std::integral<T> {
    return Change(
        OpKind::kAdd, [](uint64_t old, uint64_t mask, size_t) { return old & mask; }, Bits(operand), order, where);
  }
  T fetch_or(T operand, std::memory_order order = kSeqCst, Where where = Where::current()) requires std::integral<T> {
    return Change(
        OpKind::kAdd, [](uint64_t old, uint64_t mask, size_t) { return old | mask; }, Bits(operand), order, where);
  }

  operator T() const { return load(); }  // NOLINT: as std::atomic
  T operator=(T value) {                 // NOLINT: as std::atomic
    store(value);
    return value;
  }
  T operator++() requires std::integral<T> { return static_cast<T>(fetch_add(1) + 1); }
  T operator++(int) requires std::integral<T> { return fetch_add(1); }
  T operator--() requires std::integral<T> { return static_cast<T>(fetch_sub(1) - 1); }

 private:
  static uint64_t Bits(T value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T From(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  static uint64_t Add(uint64_t old, uint64_t operand, size_t bytes) {
    uint64_t mask = bytes == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * bytes)) - 1;
    return (old + operand) & mask;
  }
  static std::memory_order OfFailure(std::memory_order order) {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    return order == std::memory_order_release ? std::memory_order_relaxed : order;
  }
  T Change(OpKind kind, uint64_t (*change)(uint64_t, uint64_t, size_t), uint64_t operand, std::memory_order order,
           const Where& where) {
    if (Execution::Exists()) return From(DoChange(Location(), kind, change, operand, sizeof(T), order, where));
    T old = value_;
    value_ = From(change(Bits(old), operand, sizeof(T)));
    return old;
  }
  int Location() const { return FindAtomic(this, Bits(value_)); }

  T value_;  // The first one; what it is now is in the execution's memory.
};

}  // namespace millrace::model
