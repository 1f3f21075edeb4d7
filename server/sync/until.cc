#include "sync/until.h"

#include <optional>

#include "sync/channel.h"
#include "sync/channel_case.h"

namespace millrace::sync::internal {

namespace {

// Among `count` cases and the end of `until`. The last of `cases` is room for that.
size_t SelectUntil(SelectCase** cases, ChannelCore** locks, size_t count, const Until& until) {
  ChannelCase<Nothing> done(until.cancel.done());
  std::optional<Nothing> nothing;
  done.BindReceive(nothing);
  done.index = count;
  cases[count] = &done;
  return SelectChannels(cases, locks, count + 1, {SelectWait::Kind::kUntil, until.deadline.time_since_epoch().count()});
}

}  // namespace

bool DoUntil(SelectCase& one, const Until& until) {
  SelectCase* cases[2] = {&one};
  ChannelCore* locks[2];
  one.index = 0;
  return SelectUntil(cases, locks, 1, until) == 0;
}

void WaitOut(const Until& until) {
  SelectCase* cases[1];
  ChannelCore* locks[1];
  SelectUntil(cases, locks, 0, until);
}

}  // namespace millrace::sync::internal
