// JobTable: every job the dispatcher knows, in id order.
//
// The leaves of a B+ tree without the tree: ids only grow, so new jobs go to the end of the last leaf, and finding one is two
// binary searches. 32 bytes a job, an allocation for every kLeafJobs jobs, and a listing walks memory in order. Erasing leaves a
// hole; a leaf that is mostly holes is compacted and merged into its neighbour, so one old job pins next to nothing.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "dispatch/job_entry.h"

namespace millrace::dispatch {

class JobTable {
 public:
  static constexpr size_t kLeafJobs = 256;

  // The id must be above every id inserted before.
  void Insert(std::shared_ptr<JobEntry> entry);
  JobEntry* Find(const JobId& id) const;             // nullptr: unknown.
  std::shared_ptr<JobEntry> Erase(const JobId& id);  // nullptr: unknown.

  size_t size() const { return size_; }

  // Neighbours in id order, for listings; nullptr: none. They work for ids that are gone, so a listing can go on after a pause.
  JobEntry* FirstAfter(const JobId& id) const;
  JobEntry* LastBefore(const JobId& id) const;

  size_t leaves() const { return leaves_.size(); }

 private:
  struct Slot {
    JobId id;
    std::shared_ptr<JobEntry> entry;  // nullptr: a hole.
  };
  struct Leaf {
    std::vector<Slot> slots;
    size_t live = 0;  // Never 0 between calls.
  };

  // The leaf that holds the id, or would; leaves_ is not empty.
  size_t LeafFor(const JobId& id) const;
  void Compact(size_t index);

  std::vector<std::unique_ptr<Leaf>> leaves_;
  size_t size_ = 0;
};

}  // namespace millrace::dispatch
