// CaseList: the cases of a Select whose number is known only when the program runs. Go's reflect.Select.
//
//   CaseList cases;
//   for (Feed& feed : feeds) cases.Add(Receive(feed.items, [&](std::optional<Item> item) { ... }));
//   for (size_t open = feeds.size(); open > 0;) {
//     size_t chosen = Select(cases, After(1s));       // cases.size() when it was After
//     ...
//     cases.Disable(chosen), --open;                  // its channel was closed
//   }
//
//   Order     A case's position is the number of those added before it, for as long as the list lives.
//   Again     A Receive serves any number of selects. A Send has one value, so it is disabled once it was chosen;
//             Replace gives the place to another case.
//   Disabled  is never ready, as a nil channel is not.
//   Changes   A case's function may change the list, itself included.
//   Cost      Add allocates, Select does not. A select is linear in the number of cases, and sorts their channels when
//             it has to wait.
//   Threads   One at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "sync/select.h"

namespace millrace::sync {

class CaseList {
 public:
  CaseList() = default;
  CaseList(const CaseList&) = delete;
  CaseList& operator=(const CaseList&) = delete;

  // A Receive, Send or Cancelled; returns its position. What ends a select otherwise is an argument of Select.
  template <typename C>
  size_t Add(C one) {
    boxes_.push_back(MakeBox(std::move(one)));
    list_.resize(size());
    positions_.resize(size());
    locks_.resize(size());
    return size() - 1;
  }
  template <typename C>
  void Replace(size_t position, C one) {
    At(position) = MakeBox(std::move(one));
  }
  void Disable(size_t position) { At(position).reset(); }
  size_t size() const { return boxes_.size(); }
  void Clear() { boxes_.clear(); }

 private:
  friend size_t Select(CaseList& cases);
  template <typename F>
  friend size_t Select(CaseList& cases, EndCase<F> end);

  struct Box {
    virtual ~Box() = default;
    virtual internal::SelectCase& Bind() = 0;
    virtual void Run() = 0;
    bool sends = false;
  };
  template <typename C>
  struct BoxOf final : Box {
    explicit BoxOf(C from) : one(std::move(from)) {}
    internal::SelectCase& Bind() override {
      one.Bind();
      sends = one.sends;
      return one;
    }
    void Run() override { one.Run(); }
    C one;
  };

  template <typename C>
  static std::shared_ptr<Box> MakeBox(C one) {
    static_assert(C::kKind == internal::CaseKind::kChannel, "Default, After and At go into Select, beside the list");
    return std::make_shared<BoxOf<C>>(std::move(one));
  }

  std::shared_ptr<Box>& At(size_t position) {
    MR_CHECK(position < size(), "position %zu in a CaseList of %zu cases", position, size());
    return boxes_[position];
  }

  size_t Choose(internal::SelectWait wait) {
    size_t listed = 0;
    for (size_t position = 0; position < size(); ++position) {
      if (boxes_[position] == nullptr) continue;
      internal::SelectCase& one = boxes_[position]->Bind();
      one.index = listed;
      list_[listed] = &one;
      positions_[listed++] = position;
    }
    const size_t all = size();
    size_t done = internal::SelectChannels(list_.data(), locks_.data(), listed, wait);
    if (done == listed) return all;
    size_t position = positions_[done];
    std::shared_ptr<Box> chosen = boxes_[position];  // Its function may take it out of the list.
    if (chosen->sends) boxes_[position].reset();
    chosen->Run();
    return position;
  }

  std::vector<std::shared_ptr<Box>> boxes_;
  // Room for a select.
  std::vector<internal::SelectCase*> list_;
  std::vector<size_t> positions_;
  std::vector<internal::ChannelCore*> locks_;
};

inline size_t Select(CaseList& cases) { return cases.Choose({}); }

template <typename F>
size_t Select(CaseList& cases, EndCase<F> end) {
  const size_t all = cases.size();
  size_t chosen = cases.Choose(end.wait);
  if (chosen == all) end.Run();
  return chosen;
}

}  // namespace millrace::sync
