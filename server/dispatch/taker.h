// Taker: whoever asks a ready queue for jobs, all its workers together: what they can run, and how many jobs they were
// given. The workers of a pool are one taker; each worker in another process is one of its own.
//   Threads   Guarded by the dispatcher's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "job/labels.h"

namespace millrace::dispatch {

class Taker {
 public:
  struct Kind {
    std::string name;
    int64_t slots = 1;  // What a job of it takes.
    bool open = true;   // False: it is given none of them now.
  };

  Taker() = default;  // Any kind, also one that the runner does not know: it then says what is wrong.
  // `labels`: it is given jobs that require these, or nothing.
  explicit Taker(std::vector<Kind> kinds, const LabelSet& labels = {})
      : any_kind_(false), kinds_(std::move(kinds)), labels_(labels) {
    for (const auto& [name, value] : labels) tags_.push_back(TagOf(name, value));
  }

  bool Has(const LabelSet& required) const {
    for (const auto& [name, value] : required) {
      auto mine = labels_.find(name);
      if (mine == labels_.end() || mine->second != value) return false;
    }
    return true;
  }

  std::vector<Kind>& kinds() { return kinds_; }
  // Slots that are free. A job that takes more is given to nobody, and nothing that comes after it either: whoever has
  // too few keeps them until there are enough, so that small jobs do not keep a large one waiting for ever.
  void SetRoom(int64_t slots) { room_ = slots; }
  // The last Pop gave nothing, as the job whose turn it was takes more slots than are free.
  bool saves() const { return saves_; }
  // Which of its kinds the last job that Pop gave is of.
  size_t last_kind() const { return last_kind_; }

  // A label as one text: no name of a label has this byte.
  static std::string TagOf(const std::string& name, const std::string& value) { return name + '=' + value; }

 private:
  friend class ReadyQueue;
  bool any_kind_ = true;
  std::vector<Kind> kinds_;
  LabelSet labels_;
  std::vector<std::string> tags_;
  int64_t room_ = std::numeric_limits<int64_t>::max();
  bool saves_ = false;
  size_t last_kind_ = 0;
  uint64_t jobs_taken_ = 0;
};

}  // namespace millrace::dispatch
