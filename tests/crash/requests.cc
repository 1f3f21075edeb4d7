#include "tests/crash/requests.h"

#include <charconv>
#include <random>

namespace millrace::crash {

namespace {

constexpr const char* kLabel = "request";

Wish Draw(unsigned chance) {
  if (chance < 82) return Wish::kEcho;
  if (chance < 86) return Wish::kSoon;
  if (chance < 89) return Wish::kFar;
  if (chance < 91) return Wish::kFail;
  if (chance < 95) return Wish::kRecord;
  if (chance < 97) return Wish::kSlow;
  if (chance < 98) return Wish::kFailFirst;
  return Wish::kOnce;
}

}  // namespace

Request RequestOf(uint64_t seed, int64_t number, size_t payload_bytes) {
  std::mt19937_64 random(seed * 1'000'003 + static_cast<uint64_t>(number));
  Request request{.number = number, .wish = Draw(random() % 100)};
  request.delay_ms = request.wish == Wish::kFar ? 3'600'000 : 20 + static_cast<int>(random() % 300);
  // record.cc reads the first word.
  const char* word = "plain";
  if (request.wish == Wish::kSlow) word = "slow";
  if (request.wish == Wish::kFailFirst) word = "fail-first";
  if (request.wish == Wish::kFail) word = "permanent:";
  request.payload = std::string(word) + " " + std::to_string(number) + " ";
  const bool large = random() % 20 == 0 && !request.records();
  const size_t bytes = random() % (large ? payload_bytes : size_t{300});
  while (request.payload.size() < bytes) request.payload += static_cast<char>('a' + random() % 26);
  return request;
}

std::string RequestIdOf(int64_t number) { return "request-" + std::to_string(number); }

v1::SubmitJobRequest ToMessage(const Request& request) {
  v1::SubmitJobRequest message;
  message.set_request_id(RequestIdOf(request.number));
  message.set_on_full(v1::ON_FULL_WAIT);
  v1::JobSpec& spec = *message.mutable_spec();
  spec.set_kind(request.records() ? "record" : request.wish == Wish::kFail ? "fail" : "echo");
  spec.set_payload(request.payload);
  (*spec.mutable_labels())[kLabel] = std::to_string(request.number);
  if (request.wish == Wish::kSoon || request.wish == Wish::kFar) {
    spec.mutable_delay()->set_seconds(request.delay_ms / 1000);
    spec.mutable_delay()->set_nanos(request.delay_ms % 1000 * 1'000'000);
  }
  if (request.wish == Wish::kOnce) spec.set_no_retry_after_start(true);
  return message;
}

int64_t NumberOf(const v1::Job& job) {
  const auto found = job.spec().labels().find(kLabel);
  if (found == job.spec().labels().end()) return -1;
  int64_t number = -1;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
  return number;
}

}  // namespace millrace::crash
