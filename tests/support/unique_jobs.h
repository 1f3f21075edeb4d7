// Submits with unique keys, for tests of which job holds them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/dispatch_fixture.h"

namespace millrace::test {

inline constexpr auto kWhileQueued = UniqueScope::kWhileQueued;
inline constexpr auto kWhileUnfinished = UniqueScope::kWhileUnfinished;

inline JobSpec Unique(std::string key, UniqueScope scope = kWhileUnfinished,
                      OnTaken on_taken = OnTaken::kReturnExisting) {
  JobSpec spec = DispatchFixture::Spec("hold");
  spec.unique_key = UniqueKey{std::move(key), scope, on_taken};
  return spec;
}
inline JobSpec Rejecting(std::string key, UniqueScope scope = kWhileUnfinished) {
  return Unique(std::move(key), scope, OnTaken::kReject);
}

// The holder that a submit is told of; "" where it became a job of its own.
inline std::string Existing(DispatchFixture& d, JobSpec spec) {
  dispatch::SubmitAck ack;
  DispatchFixture::Require(d.TrySubmit(std::move(spec), &ack));
  return ack.existing ? ack.id.ToString() : "";
}

inline std::unique_ptr<SubmitCall> Batch(DispatchFixture& d, std::vector<JobSpec> specs,
                                         dispatch::OnFull on_full = dispatch::OnFull::kReject) {
  auto call = std::make_unique<SubmitCall>();
  for (JobSpec& spec : specs) call->items.push_back({std::move(spec), ""});
  call->on_full = on_full;
  d.dispatcher.Submit(call.get());
  return call;
}

}  // namespace millrace::test
