// Outcome: how an attempt of a worker ended.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "millrace/v1/worker_service.pb.h"

namespace millrace::client {

// How an attempt ended.
struct Outcome {
  static Outcome Success(std::string result = {});
  // `error`: why, for a person.
  static Outcome Failure(std::string error);

  bool succeeded = false;
  std::string result;
  std::string error;
  bool do_not_retry = false;
  std::optional<std::chrono::milliseconds> retry_after;  // Instead of the policy's backoff.
};

// What handlers say, as a proto wants it: '?' for each byte that is not UTF-8, and 4 KiB at most. Else the daemon would
// refuse the whole message, and each repeat of it.
std::string ToText(std::string text);

// A larger result is written in pieces.
inline constexpr size_t kMessageResultBytesMax = size_t{1} << 20;

// As the daemon is told. A result that no message takes is a failure that is not retried; `result_bytes_max`: what the
// daemon takes in pieces.
v1::AttemptEnd ToEnd(Outcome outcome, const v1::AttemptRef& ref, int64_t result_bytes_max = 0);

}  // namespace millrace::client
