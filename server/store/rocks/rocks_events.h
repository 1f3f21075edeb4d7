// What RocksDB tells while it works. Included by rocks_disk.cc only.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <functional>
#include <utility>

#include "base/log.h"
#include "base/thread_mutex.h"

namespace millrace::store {

// RocksDB's words go into our log. A LOG file of its own stands on the disk that may be full, and 7.8 aborts the
// process when it writes to one after a write to it has failed.
class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char text[1000];
    vsnprintf(text, sizeof(text), format, arguments);
    if (strstr(text, "File Deletions ") != nullptr) return;  // Two of them in each checkpoint, and nothing is wrong.
    LogWarning("rocksdb: %s", text);
  }
  void LogHeader(const char*, va_list) override {}  // All options, at each start.
};

// What RocksDB found wrong in the background, while it made tables of its logs. It takes no writes any more then, or
// soon; some it would mend by itself, at its own time and with submits waiting for it. So it may not: we close it and
// open it anew.
class Trouble final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    ThreadGuard guard(lock_);
    if (status_.ok()) status_ = *status;
    const bool ours =  // The write that met it tells its caller.
        reason == rocksdb::BackgroundErrorReason::kWriteCallback || reason == rocksdb::BackgroundErrorReason::kMemTable;
    if (!ours && call_) call_();
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* by_itself) override {
    *by_itself = false;
  }

  rocksdb::Status Get() {
    ThreadGuard guard(lock_);
    return status_;
  }
  void Forget() {
    ThreadGuard guard(lock_);
    status_ = rocksdb::Status();
  }
  void Call(std::function<void()> call) {
    ThreadGuard guard(lock_);
    call_ = std::move(call);
  }

 private:
  ThreadMutex lock_;
  rocksdb::Status status_ MR_GUARDED_BY(lock_);
  std::function<void()> call_ MR_GUARDED_BY(lock_);
};

// That the manifest has grown: there are other tables than before. Any thread.
class TableNews final : public rocksdb::EventListener {
 public:
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { any_.store(true); }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { any_.store(true); }

  bool any() const { return any_.load(); }
  void Forget() { any_.store(false); }

 private:
  std::atomic<bool> any_{false};
};

}  // namespace millrace::store
