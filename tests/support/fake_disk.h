// A disk in memory that fails, and takes its time, when the test says so.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/disk.h"

namespace millrace::test {

// What lies on the disk, and when it answers. Outlives the journal.
struct Platter {
  std::array<std::map<std::string, std::string>, store::kShelves> shelves;
  std::mutex lock;
  std::condition_variable changed;
  bool held = false;     // Writes wait.
  int waiting = 0;       // Writes that do.
  int writes_left = -1;  // If not negative: after so many no write succeeds.
  int failures = 0;      // So many writes or syncs from now on fail,
  bool half = false;     // after they were made nevertheless.
  int sync_failures = 0;
  int reopen_failures = 0;
  int writes = 0, syncs = 0, reopens = 0, reclaims = 0;
  uint64_t position = 0;
  Status reopen_says;  // If it is an error, Reopen fails with it.
  bool owned_by_another = false;
  std::function<void()> trouble;
  bool broken = false;  // A failure that no Reopen has followed.

  void Hold(bool on) {
    std::lock_guard guard(lock);
    held = on;
    changed.notify_all();
  }
  void AwaitWrite() {
    std::unique_lock guard(lock);
    changed.wait(guard, [&] { return waiting > 0; });
  }
  void FailNextSync() {
    std::lock_guard guard(lock);
    sync_failures = 1;
  }
  void FailNext(int count, bool after_writing = false) {
    std::lock_guard guard(lock);
    failures = count;
    half = after_writing;
  }
  void GiveToAnother() {
    std::lock_guard guard(lock);
    owned_by_another = true;
  }
  int Count(int Platter::*which) {
    std::lock_guard guard(lock);
    return this->*which;
  }
  uint64_t Position() {
    std::lock_guard guard(lock);
    return position;
  }
};

class FakeDisk final : public store::Disk {
 public:
  explicit FakeDisk(Platter& platter) : platter_(platter) {}

  Status Write(std::span<const store::Change> changes) override {
    std::unique_lock guard(platter_.lock);
    ++platter_.waiting;
    platter_.changed.notify_all();
    platter_.changed.wait(guard, [&] { return !platter_.held; });
    --platter_.waiting;
    EXPECT_FALSE(platter_.broken) << "written without Reopen after a failure";
    ++platter_.writes;
    if (platter_.owned_by_another) return FailedPrecondition("NOT_OWNER", "another daemon owns the platter");
    bool fails = platter_.failures > 0 && platter_.failures-- > 0;
    if (platter_.writes_left >= 0) fails |= platter_.writes_left == 0 || platter_.writes_left-- == 0;
    if (!fails || platter_.half) {
      for (const store::Change& change : changes) {
        auto& shelf = platter_.shelves[static_cast<size_t>(change.shelf)];
        if (change.kind == store::Change::Kind::kPut) {
          shelf[change.key] = change.value;
        } else {
          shelf.erase(change.key);
        }
      }
    }
    if (!fails) platter_.position += changes.size();
    platter_.broken = fails;
    return fails ? Unavailable("DISK_FULL", "no space left") : OkStatus();
  }
  Status Sync() override {
    std::lock_guard guard(platter_.lock);
    EXPECT_FALSE(platter_.broken) << "synced without Reopen after a failure";
    ++platter_.syncs;
    platter_.changed.notify_all();
    platter_.broken = platter_.sync_failures > 0 && platter_.sync_failures-- > 0;
    platter_.broken |= platter_.failures > 0 && platter_.failures-- > 0;
    return platter_.broken ? Unavailable("STORE_FAILED", "fsync failed") : OkStatus();
  }
  Status Reopen() override {
    std::lock_guard guard(platter_.lock);
    ++platter_.reopens;
    if (platter_.reopen_failures > 0 && platter_.reopen_failures-- > 0) return Unavailable("DISK_FULL", "still full");
    platter_.broken = !platter_.reopen_says.ok();
    return platter_.reopen_says;
  }
  uint64_t Position() const override {
    std::lock_guard guard(platter_.lock);
    return platter_.position;
  }
  const std::string& Name() const override { return name_; }
  void OnTrouble(std::function<void()> call) override {
    std::lock_guard guard(platter_.lock);
    platter_.trouble = std::move(call);
  }

  Result<std::vector<std::optional<std::string>>> Read(std::span<const Place> places) override {
    std::lock_guard guard(platter_.lock);
    std::vector<std::optional<std::string>> found;
    for (const Place& place : places) {
      const auto& shelf = platter_.shelves[static_cast<size_t>(place.shelf)];
      auto at = shelf.find(std::string(place.key));
      found.push_back(at != shelf.end() ? std::optional(at->second) : std::nullopt);
    }
    return found;
  }
  Status Scan(std::span<const store::Shelf> shelves,
              const std::function<Status(std::span<Cursor* const>)>& read) override {
    class MapCursor final : public Cursor {
     public:
      explicit MapCursor(std::map<std::string, std::string> shelf) : shelf_(std::move(shelf)), at_(shelf_.end()) {}
      void Seek(std::string_view key) override { at_ = shelf_.lower_bound(std::string(key)); }
      void SeekBack(std::string_view key) override {
        at_ = shelf_.upper_bound(std::string(key));
        Previous();
      }
      void Next() override { ++at_; }
      void Previous() override { at_ = at_ == shelf_.begin() ? shelf_.end() : std::prev(at_); }
      bool Valid() const override { return at_ != shelf_.end(); }
      std::string_view key() const override { return at_->first; }
      std::string_view value() const override { return at_->second; }

     private:
      const std::map<std::string, std::string> shelf_;
      std::map<std::string, std::string>::const_iterator at_;
    };
    std::vector<std::unique_ptr<MapCursor>> cursors;
    std::vector<Cursor*> pointers;
    {
      std::lock_guard guard(platter_.lock);
      for (store::Shelf shelf : shelves) {
        pointers.push_back(
            cursors.emplace_back(std::make_unique<MapCursor>(platter_.shelves[static_cast<size_t>(shelf)])).get());
      }
    }
    return read(pointers);
  }
  uint64_t Bytes() override { return 0; }
  Status Reclaim() override {
    std::lock_guard guard(platter_.lock);
    ++platter_.reclaims;
    platter_.changed.notify_all();
    return OkStatus();
  }
  void NoMoreReclaim() override {}

  Status Checkpoint(const std::string&) override { return Unavailable("NO_CHECKPOINT", "a platter is not copied"); }

 private:
  Platter& platter_;
  const std::string name_ = "the platter";
};

}  // namespace millrace::test
