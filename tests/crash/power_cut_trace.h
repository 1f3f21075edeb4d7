// What the power-cut layer, which is loaded into the process under test, writes down for power_cut.h, which cuts
// afterwards: a file that both map. A page of it survives the death of the process as any file does; an event counts
// once its `valid` is set.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <atomic>

namespace millrace::crash {

// Names are relative to the folder that is watched.
inline constexpr size_t kNameMax = 112;
inline constexpr uint32_t kEventsMax = 1 << 18;
inline constexpr const char* kTraceVariable = "MILLRACE_POWER_CUT";

// What the process does to the folder, in steps that are counted, each kind by itself.
enum class Step : uint32_t { kCreate, kWrite, kSync, kFolderSync, kRename, kUnlink, kCount };
// kHalf: of a write, after a part of its bytes; as kBefore otherwise.
enum class Moment : uint32_t { kBefore, kHalf, kAfter };

struct Event {
  // kCreate, kMakeFolder: `name` is there as file `inode`. kLink: `name` is `inode` as well. kRename: `name` is `to`
  // now. kUnlink: `name` is gone. kSync: the first `size` bytes of `inode` are on the disk. kFolderSync: so is what
  // events below number `size` did in the folder `name`. kTruncate: no more than `size` bytes of `inode` are left.
  enum class Kind : uint32_t { kCreate, kMakeFolder, kLink, kRename, kUnlink, kSync, kFolderSync, kTruncate };

  std::atomic<uint32_t> valid;
  Kind kind;
  uint64_t inode, size;
  int64_t began;  // For a sync: when it began, by CLOCK_MONOTONIC.
  char name[kNameMax], to[kNameMax];
};

struct Trace {
  // ---- Set before the process starts
  char root[256];  // The folder that is watched.
  char graveyard
      [256];  // On the same file system: keeps files that were unlinked or replaced, each under its inode number.
  // Syncs of files whose name ends so are answered and do not count; "*": all syncs. Empty: none.
  char unsynced[16];
  uint32_t sync_micros_max;  // A sync takes a random time up to this.
  uint64_t seed;
  // The process kills itself at the `kill_at`th step of that kind. 0: never.
  Step kill_step;
  Moment kill_moment;
  uint32_t kill_at;

  // ---- Of the process
  std::atomic<int32_t> pid;  // The one that is watched: the first. Its children are not.
  std::atomic<uint32_t> steps[static_cast<size_t>(Step::kCount)];
  std::atomic<uint32_t> killed;  // It did so.
  std::atomic<uint32_t> events;  // Slots taken.
  Event event[kEventsMax];
};

}  // namespace millrace::crash
