// JobWalk: over the shelves of jobs together, one job at a time, in id order.
//
//   for (JobWalk walk(store); walk.AtJob(); walk.Next()) use(walk.key(), walk.On(Shelf::kSpec), walk.state());
//   if (!walk.status().ok()) ...
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/tools/store_reader.h"

namespace millrace::store {

class JobWalk {
 public:
  // Payloads and large results may be most of what the store weighs: whoever does not look at them leaves them unread.
  enum class Large : bool { kLeaveOut, kRead };
  JobWalk(const StoreReader& store, Large large);

  // False at the end, and when a shelf cannot be read on: what is on the others says nothing then.
  bool AtJob() const { return at_job_; }
  void Next();
  Status status() const;

  // Everything below is valid until Next.
  const std::string& key() const { return key_; }
  // What lies on the shelf under this key; nullopt: nothing. A job needs a spec, and a live or a finished state.
  std::optional<std::string_view> On(Shelf shelf) const;
  Shelf shelf() const;  // The first that has something under it.
  // The state that counts.
  std::optional<std::string_view> state() const;

 private:
  static constexpr std::array kJobShelves = {Shelf::kSpec, Shelf::kLive, Shelf::kFinished, Shelf::kPayload,
                                             Shelf::kResult};
  void FindNext();

  std::array<std::unique_ptr<StoreReader::Cursor>, kJobShelves.size()> cursors_;  // nullptr: left out.
  bool at_job_ = false;
  std::string key_;
};

}  // namespace millrace::store
