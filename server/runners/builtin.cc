#include "runners/builtin.h"

#include <openssl/evp.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/units.h"
#include "runners/text.h"
#include "runtime/runtime.h"

namespace millrace::runners {
namespace {

using dispatch::AttemptContext;
using dispatch::AttemptOutcome;
using namespace std::chrono_literals;

// How long a computation runs between two yields: long beside a switch, and too short for other fibers to notice.
constexpr Nanos kSpinSlice = 1ms;
constexpr size_t kHashChunkBytes = size_t{256} << 10;

AttemptOutcome BadPayload(std::string why) {
  AttemptOutcome outcome = AttemptOutcome::Failed(std::move(why));
  outcome.do_not_retry = true;
  return outcome;
}

AttemptOutcome Stopped(const AttemptContext& attempt) {
  return AttemptOutcome::Failed("stopped: " + attempt.cancel().reason().message());
}

AttemptOutcome NoDuration(const AttemptContext& attempt) {
  // A part that is enough to recognise the payload.
  return BadPayload("the payload '" + Printable(PayloadOf(attempt.spec()), 40) +
                    "' is no duration; write for instance 250ms, 1.5s or 2m, up to 24h");
}

AttemptOutcome Noop(AttemptContext&) { return AttemptOutcome::Succeeded(""); }

AttemptOutcome Echo(AttemptContext& attempt) {
  return AttemptOutcome::Succeeded(std::string(PayloadOf(attempt.spec())));
}

AttemptOutcome Sleep(AttemptContext& attempt) {
  std::optional<Nanos> duration = DurationOfPayload(PayloadOf(attempt.spec()));
  if (!duration) return NoDuration(attempt);
  return attempt.cancel().SleepFor(*duration) ? AttemptOutcome::Succeeded("") : Stopped(attempt);
}

// The processor time of the thread. A difference of two readings is that of the fiber only if no switch lies between
// them.
Nanos ThreadCpu() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + Nanos(now.tv_nsec);
}

AttemptOutcome Spin(AttemptContext& attempt) {
  std::optional<Nanos> duration = DurationOfPayload(PayloadOf(attempt.spec()));
  if (!duration) return NoDuration(attempt);
  for (Nanos left = *duration; left > 0ns;) {
    if (attempt.cancel().cancelled()) return Stopped(attempt);
    Nanos slice = std::min(left, kSpinSlice), used = 0ns;
    for (Nanos start = ThreadCpu(); used < slice; used = ThreadCpu() - start) {
      // Work between two readings of the clock, which the compiler must not remove.
      for (int turn = 0; turn < 20'000; ++turn) asm volatile("");
    }
    left -= used;
    rt::Yield();
  }
  return AttemptOutcome::Succeeded("");
}

AttemptOutcome Fail(AttemptContext& attempt) {
  constexpr std::string_view kPermanent = "permanent:";
  std::string_view message = PayloadOf(attempt.spec());
  bool permanent = message.starts_with(kPermanent);
  if (permanent) message.remove_prefix(kPermanent.size());
  message.remove_prefix(std::min(message.find_first_not_of(' '), message.size()));
  AttemptOutcome outcome = AttemptOutcome::Failed(message.empty() ? "failed as asked" : std::string(message));
  outcome.do_not_retry = permanent;
  return outcome;
}

AttemptOutcome Sha256(AttemptContext& attempt) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::array<unsigned char, 32> digest;
  std::string_view left = PayloadOf(attempt.spec());
  bool ok = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  while (ok && !left.empty()) {
    if (attempt.cancel().cancelled()) return Stopped(attempt);
    std::string_view chunk = left.substr(0, kHashChunkBytes);
    ok = EVP_DigestUpdate(context.get(), chunk.data(), chunk.size()) == 1;
    left.remove_prefix(chunk.size());
    if (!left.empty()) rt::Yield();
  }
  if (!ok || EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) {
    return AttemptOutcome::Failed("OpenSSL could not compute a SHA-256");
  }
  std::string hex;
  for (unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return AttemptOutcome::Succeeded(std::move(hex));
}

}  // namespace

std::optional<Nanos> DurationOfPayload(std::string_view payload) {
  constexpr std::string_view kSpace = " \t\r\n";
  constexpr Nanos kMax = 24h;
  payload.remove_prefix(std::min(payload.find_first_not_of(kSpace), payload.size()));
  payload = payload.substr(0, payload.find_last_not_of(kSpace) + 1);
  const std::optional<Nanos> duration = ParseDuration(payload);
  return duration && *duration <= kMax ? duration : std::nullopt;
}

Status RegisterBuiltins(NativeRunner& runner) {
  MR_RETURN_IF_ERROR(runner.Register({.name = "noop"}, Noop));
  MR_RETURN_IF_ERROR(runner.Register({.name = "echo"}, Echo));
  MR_RETURN_IF_ERROR(runner.Register({.name = "sleep"}, Sleep));
  MR_RETURN_IF_ERROR(runner.Register({.name = "spin"}, Spin));
  MR_RETURN_IF_ERROR(runner.Register({.name = "fail"}, Fail));
  return runner.Register({.name = "sha256"}, Sha256);
}

}  // namespace millrace::runners
