// What the clients ask for: request number n of a run is the same whoever asks, and how often.
#pragma once

#include <cstdint>
#include <string>

#include "millrace/v1/job_service.pb.h"

namespace millrace::crash {

enum class Wish {
  kEcho,       // Built in: its result is its payload, as of all others that succeed.
  kSoon,       // The same, after a short delay.
  kFar,        // The same, after an hour; a client cancels it.
  kFail,       // Fails for good.
  kRecord,     // A program that writes down, outside of the daemon, that it was started (record.cc).
  kSlow,       // The same, and takes a while.
  kFailFirst,  // The same, and its first attempt fails.
  kOnce,       // The same, and it is never started a second time.
};

struct Request {
  int64_t number = 0;
  Wish wish = Wish::kEcho;
  std::string payload;
  int delay_ms = 0;

  bool records() const { return wish >= Wish::kRecord; }
};

// `payload_bytes`: of the large ones; most are small.
Request RequestOf(uint64_t seed, int64_t number, size_t payload_bytes);
std::string RequestIdOf(int64_t number);
v1::SubmitJobRequest ToMessage(const Request& request);
// The request that a job was made for, by its label. -1: none of ours.
int64_t NumberOf(const v1::Job& job);

}  // namespace millrace::crash
