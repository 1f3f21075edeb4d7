#include "store/tools/job_walk.h"

#include <algorithm>

namespace millrace::store {

JobWalk::JobWalk(const StoreReader& store, Large large) {
  for (size_t i = 0; i < cursors_.size(); ++i) {
    const bool is_large = kJobShelves[i] == Shelf::kPayload || kJobShelves[i] == Shelf::kResult;
    if (!is_large || large == Large::kRead) cursors_[i] = store.Read(kJobShelves[i]);
  }
  FindNext();
}

void JobWalk::Next() {
  for (auto& cursor : cursors_) {
    if (cursor && cursor->AtKey() && cursor->key() == key_) cursor->Next();
  }
  FindNext();
}

void JobWalk::FindNext() {
  at_job_ = false;
  if (!status().ok()) return;
  const StoreReader::Cursor* first = nullptr;
  for (const auto& cursor : cursors_) {
    if (cursor && cursor->AtKey() && (first == nullptr || cursor->key() < first->key())) first = cursor.get();
  }
  if (first == nullptr) return;
  key_ = first->key();
  at_job_ = true;
}

Status JobWalk::status() const {
  for (const auto& cursor : cursors_) {
    if (!cursor) continue;
    if (Status status = cursor->status(); !status.ok()) return status;
  }
  return OkStatus();
}

std::optional<std::string_view> JobWalk::On(Shelf shelf) const {
  const auto at = std::find(kJobShelves.begin(), kJobShelves.end(), shelf) - kJobShelves.begin();
  const StoreReader::Cursor* cursor = cursors_[static_cast<size_t>(at)].get();
  if (cursor == nullptr || !cursor->AtKey() || cursor->key() != key_) return std::nullopt;
  return cursor->value();
}

Shelf JobWalk::shelf() const {
  return *std::find_if(kJobShelves.begin(), kJobShelves.end(), [this](Shelf shelf) { return On(shelf).has_value(); });
}

std::optional<std::string_view> JobWalk::state() const {
  const std::optional<std::string_view> live = On(Shelf::kLive);
  return live ? live : On(Shelf::kFinished);
}

}  // namespace millrace::store
