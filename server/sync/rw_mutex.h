// RwMutex: many readers or one writer. Go's sync.RWMutex.
//
//   std::shared_lock reading(mutex);    std::unique_lock writing(mutex);
//
//   Fairness  A waiting writer keeps new readers out, so writers are not starved; when it is done, the readers that
//             waited go before the next writer. Hence no reader may lock it again while it reads: a writer in between
//             stops both.
//   Misuse    Unlocking what is not locked is fatal.
//   Callers   Anyone; a plain thread that has to wait blocks.
#pragma once

#include <atomic>
#include <cstdint>

#include "sync/mutex.h"
#include "sync/semaphore.h"

namespace millrace::sync {

class RwMutex {
 public:
  RwMutex() = default;
  RwMutex(const RwMutex&) = delete;
  RwMutex& operator=(const RwMutex&) = delete;

  void lock();
  bool try_lock();
  void unlock();

  void lock_shared();
  bool try_lock_shared();
  void unlock_shared();

 private:
  static constexpr int32_t kReadersMax = 1 << 30;

  bool Announce();
  int32_t Count(int32_t change);
  bool Depart();

  Mutex writers_{rt::WaitReason::kRwMutex};
  // Readers, those that wait for a writer included; less kReadersMax while a writer has announced itself.
  std::atomic<int32_t> readers_{0};
  // Readers the announced writer still has to wait for.
  std::atomic<int32_t> departing_{0};
  Semaphore writer_gate_{0, rt::WaitReason::kRwMutex};
  Semaphore reader_gate_{0, rt::WaitReason::kRwMutex};
};

}  // namespace millrace::sync
