#include "job/fingerprint.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace millrace {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this

JobSpec Plain() {
  JobSpec spec;
  spec.kind = "resize";
  return spec;
}

JobSpec WithEverything() {
  JobSpec spec;
  spec.pool = "thumbs";
  spec.kind = "resize";
  spec.payload = MakeBytes("payload");
  spec.band = Band::kHigh;
  spec.delay = 1s;
  spec.run_at = WallTime(2s);
  spec.run_timeout = 3s;
  spec.deadline = WallTime(4s);
  spec.retry = {.max_attempts = 5, .initial_backoff = 6s, .max_backoff = 7s, .multiplier = 1.5};
  spec.no_retry_after_start = true;
  spec.labels = {{"a", "b"}, {"c", ""}};
  return spec;
}

// Every one differs from the others.
TEST(Fingerprint, DiffersWhereverTheContentDoes) {
  std::set<uint64_t> seen;
  for (const auto& change : std::initializer_list<std::function<void(JobSpec&)>>{
           [](JobSpec&) {},
           [](JobSpec& s) { s.pool = "p"; },
           [](JobSpec& s) { s.kind = "k"; },
           [](JobSpec& s) { s.pool = "resize", s.kind = ""; },
           [](JobSpec& s) { s.payload = MakeBytes("x"); },
           [](JobSpec& s) { s.payload = MakeBytes(std::string(1, '\0')); },
           [](JobSpec& s) { s.payload = MakeBytes(std::string(100'000, 'x')); },
           [](JobSpec& s) { s.payload = MakeBytes(std::string(100'000, 'x') + "y"); },
           [](JobSpec& s) { s.band = Band::kLow; },
           [](JobSpec& s) { s.delay = 0s; },
           [](JobSpec& s) { s.run_at = WallTime{}; },
           [](JobSpec& s) { s.run_timeout = 1s; },
           [](JobSpec& s) { s.deadline = WallTime{}; },
           [](JobSpec& s) { s.deadline_after = 1h; },
           [](JobSpec& s) { s.deadline_after = 2h; },
           [](JobSpec& s) { s.retry.max_attempts = 25; },
           [](JobSpec& s) { s.retry.initial_backoff = 1s; },
           [](JobSpec& s) { s.retry.max_backoff = 1s; },
           [](JobSpec& s) { s.retry.multiplier = 2; },
           [](JobSpec& s) { s.no_retry_after_start = true; },
           [](JobSpec& s) { s.labels["a"] = "b"; },
           [](JobSpec& s) { s.labels["ab"] = ""; },
           [](JobSpec& s) { s.labels["a"] = "b", s.labels["ab"] = ""; },
           [](JobSpec& s) { s.unique_key = UniqueKey{.key = "u"}; },
           [](JobSpec& s) { s.unique_key = UniqueKey{.key = "u", .scope = UniqueScope::kWhileQueued}; },
           [](JobSpec& s) { s.unique_key = UniqueKey{.key = "u", .on_taken = OnTaken::kReject}; },
       }) {
    JobSpec spec = Plain();
    change(spec);
    EXPECT_TRUE(seen.insert(Fingerprint(spec)).second) << "change " << seen.size();
    EXPECT_EQ(Fingerprint(spec), Fingerprint(JobSpec(spec)));
  }
}

// Stores keep these: another build has to come to the same.
TEST(Fingerprint, IsTheSameInEveryBuild) {
  EXPECT_EQ(Fingerprint(Plain()), 13742973370327842253u);
  EXPECT_EQ(Fingerprint(WithEverything()), 12531131487879480375u);
  JobSpec unique = WithEverything();
  unique.unique_key = UniqueKey{.key = "u"};
  EXPECT_EQ(Fingerprint(unique), 6868407768303302732u);
  JobSpec relative = Plain();
  relative.deadline_after = 1h;
  EXPECT_EQ(Fingerprint(relative), 14534908260046981888u);
}

}  // namespace
}  // namespace millrace
