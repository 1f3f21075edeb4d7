// An attempt for a runner under test, with a log and checkpoints that can be looked at and a cancellation that can be
// pulled.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dispatch/runner.h"
#include "sync/cancel.h"

namespace millrace::test {

class FakeAttempt final : public dispatch::AttemptContext {
 public:
  FakeAttempt(std::string kind, std::string payload) : id_{0x0123456789ABCDEF, 42} {
    spec_.kind = std::move(kind);
    spec_.payload = MakeBytes(std::move(payload));
  }

  const JobId& id() const override { return id_; }
  const JobSpec& spec() const override { return spec_; }
  int attempt() const override { return 3; }
  const sync::CancelToken& cancel() const override { return token_; }
  void SetProgress(double, std::string) override {}
  void Log(std::string_view bytes) override {
    {
      std::lock_guard lock(mutex_);
      log_ += bytes;
    }
    if (on_log) on_log();
  }

  Bytes checkpoint() const override { return earlier; }
  Status SaveCheckpoint(std::string bytes) override {
    {
      std::lock_guard lock(mutex_);
      saved_ = std::move(bytes);
      ++saves_;
    }
    if (on_save) on_save();
    return OkStatus();
  }

  std::string log() const {
    std::lock_guard lock(mutex_);
    return log_;
  }

  std::optional<std::string> saved() const {  // The newest checkpoint.
    std::lock_guard lock(mutex_);
    return saved_;
  }
  int saves() const {
    std::lock_guard lock(mutex_);
    return saves_;
  }

  void SetTrace(TraceContext context) { spec_.trace = Trace(std::move(context)); }

  sync::CancelSource source;
  std::function<void()> on_log;   // After each piece, on the thread that logs.
  std::function<void()> on_save;  // After each checkpoint, on the thread that saves it.
  Bytes earlier;                  // The checkpoint of an earlier attempt.

 private:
  JobId id_;
  JobSpec spec_;
  sync::CancelToken token_ = source.token();
  mutable std::mutex mutex_;
  std::string log_;
  std::optional<std::string> saved_;
  int saves_ = 0;
};

}  // namespace millrace::test
