#include "runners/exec_checkpoint.h"

#include <bit>

#include "job/job.h"

namespace millrace::runners {
namespace {

enum Reason : unsigned { kTooLong, kHasNul, kNotEnded };

static_assert(kCheckpointBytesMax == size_t{64} << 10, "the text below names it");
constexpr std::string_view kTexts[] = {
    "millraced: a checkpoint was not saved: it has more than 64 KiB; store it elsewhere and save a reference\n",
    "millraced: a checkpoint was not saved: it holds a NUL byte, which no variable of the next attempt could hold; "
    "write it as text, base64 for example\n",
    "millraced: the last checkpoint was not saved: it does not end in a line feed, so it may be cut off\n",
};

}  // namespace

std::optional<std::string> CheckpointLines::Add(std::string_view bytes) {
  std::optional<std::string> newest;
  size_t end = bytes.find('\n');
  if (end != std::string_view::npos) {
    Append(bytes.substr(0, end));
    if (!too_long_ && Fits(line_)) newest = std::move(line_);
    line_ = std::string();  // 64 KiB are not kept for the sake of a second line.
    too_long_ = false;
    bytes.remove_prefix(end + 1);

    std::optional<std::string_view> last;
    for (; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
      if (Fits(bytes.substr(0, end))) last = bytes.substr(0, end);
    }
    if (last) newest.emplace(*last);
  }
  Append(bytes);
  return newest;
}

void CheckpointLines::End() {
  if (!line_.empty()) Tell(kNotEnded);
}

std::string_view CheckpointLines::TakeComplaint() {
  if (to_tell_ == 0) return {};
  const int reason = std::countr_zero(to_tell_);
  to_tell_ &= ~(1U << reason);
  told_ |= 1U << reason;
  return kTexts[reason];
}

void CheckpointLines::Append(std::string_view bytes) {
  if (too_long_) return;
  if (bytes.size() <= kCheckpointBytesMax - line_.size()) {
    line_ += bytes;
    return;
  }
  too_long_ = true;
  line_ = std::string();
  Tell(kTooLong);
}

bool CheckpointLines::Fits(std::string_view line) {
  if (line.size() > kCheckpointBytesMax) {
    Tell(kTooLong);
    return false;
  }
  if (line.find('\0') != std::string_view::npos) {
    Tell(kHasNul);
    return false;
  }
  return true;
}

}  // namespace millrace::runners
