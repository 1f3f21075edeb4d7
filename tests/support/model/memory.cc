#include "tests/support/model/memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace millrace::model {

namespace {

bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_consume ||
         order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}
bool Releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}
bool Sequential(std::memory_order order) { return order == std::memory_order_seq_cst; }

}  // namespace

void View::JoinSeen(const View& other) {
  for (size_t i = 0; i < kLocationsMax; ++i) seen[i] = std::max(seen[i], other.seen[i]);
}

void View::Join(const View& other) {
  JoinSeen(other);
  for (size_t i = 0; i < kThreadsMax; ++i) clock[i] = std::max(clock[i], other.clock[i]);
}

void Memory::Reset(size_t outdated_reads_max) {
  outdated_reads_max_ = outdated_reads_max;
  count_ = 0;
  for (Knowledge& one : knowledge_) one = Knowledge();
  sequential_ = View();
}

int Memory::Find(const void* address) const {
  for (size_t i = count_; i-- > 0;) {  // From the youngest: a place may have been used before.
    if (locations_[i].address == address) return static_cast<int>(i);
  }
  return kNone;
}

int Memory::Create(const void* address, uint64_t value, size_t thread) {
  if (count_ == kLocationsMax) {
    fprintf(stderr, "model: more than %zu atomic variables in one execution\n", kLocationsMax);
    abort();
  }
  Location& location = locations_[count_];
  location.address = address;
  location.alive = true;
  location.creator = thread;
  location.created_at = knowledge_[thread].now.clock[thread];
  location.last_access.fill(0);
  location.history.clear();
  location.history.push_back({value, View()});
  return static_cast<int>(count_++);
}

bool Memory::Destroy(int id, size_t thread) {
  Location& location = locations_[static_cast<size_t>(id)];
  location.alive = false;
  const View& now = knowledge_[thread].now;
  for (size_t i = 0; i < kThreadsMax; ++i) {
    if (location.last_access[i] > now.clock[i]) return false;
  }
  return true;
}

const char* Memory::Judge(int id, size_t thread) const {
  const Location& location = locations_[static_cast<size_t>(id)];
  if (!location.alive) return "use of an atomic variable after its destruction";
  if (location.created_at > knowledge_[thread].now.clock[location.creator])
    return "use of an atomic variable whose construction does not happen before";
  return nullptr;
}

size_t Memory::Readable(int id, size_t thread, std::memory_order order) const {
  if (outdated_reads_max_ == 0) return 1;
  size_t index = static_cast<size_t>(id);
  const Knowledge& self = knowledge_[thread];
  size_t newest = locations_[index].history.size() - 1;
  size_t oldest = self.now.seen[index];
  if (Sequential(order)) oldest = std::max<size_t>(oldest, sequential_.seen[index]);
  if (oldest < newest && oldest == self.now.seen[index] && self.outdated_reads[index] >= outdated_reads_max_) ++oldest;
  return newest - oldest + 1;
}

uint64_t Memory::Peek(int id, size_t age) const {
  const Location& location = locations_[static_cast<size_t>(id)];
  return location.history[location.history.size() - 1 - age].value;
}

uint64_t Memory::Read(int id, size_t thread, std::memory_order order, size_t age) {
  size_t index = static_cast<size_t>(id);
  Location& location = locations_[index];
  Knowledge& self = knowledge_[thread];
  size_t at = location.history.size() - 1 - age;
  if (at != self.now.seen[index]) self.outdated_reads[index] = 0;
  if (age > 0) ++self.outdated_reads[index];
  self.now.seen[index] = static_cast<uint16_t>(at);
  const Message& message = location.history[at];
  (Acquires(order) ? self.now : self.acquired).Join(message.view);
  if (Sequential(order)) sequential_.seen[index] = std::max<uint16_t>(sequential_.seen[index], self.now.seen[index]);
  self.read_since_relax[index] = static_cast<uint16_t>(at + 1);
  location.last_access[thread] = self.now.clock[thread];
  return message.value;
}

void Memory::Append(Location& location, int id, size_t thread, std::memory_order order, uint64_t value,
                    const View* chain) {
  size_t index = static_cast<size_t>(id);
  Knowledge& self = knowledge_[thread];
  self.now.seen[index] = static_cast<uint16_t>(location.history.size());
  self.outdated_reads[index] = 0;
  self.read_since_relax[index] = static_cast<uint16_t>(location.history.size() + 1);
  Message message{value, Releases(order) ? self.now : self.released};
  if (chain != nullptr) message.view.Join(*chain);
  location.history.push_back(message);
  if (Sequential(order)) sequential_.seen[index] = self.now.seen[index];
  location.last_access[thread] = self.now.clock[thread];
}

void Memory::Write(int id, size_t thread, std::memory_order order, uint64_t value) {
  Append(locations_[static_cast<size_t>(id)], id, thread, order, value, nullptr);
}

uint64_t Memory::ReadWrite(int id, size_t thread, std::memory_order order, uint64_t value) {
  Location& location = locations_[static_cast<size_t>(id)];
  uint64_t old = Read(id, thread, order, 0);
  View chain = location.history.back().view;
  Append(location, id, thread, order, value, &chain);
  return old;
}

void Memory::Fence(size_t thread, std::memory_order order) {
  Knowledge& self = knowledge_[thread];
  if (Acquires(order)) self.now.Join(self.acquired);
  if (Sequential(order)) {
    self.now.JoinSeen(sequential_);
    sequential_.JoinSeen(self.now);
  }
  if (Releases(order)) self.released = self.now;
}

void Memory::CatchUp(size_t thread) {
  Knowledge& self = knowledge_[thread];
  for (size_t i = 0; i < count_; ++i) {
    self.now.seen[i] = static_cast<uint16_t>(locations_[i].history.size() - 1);
    self.outdated_reads[i] = 0;
  }
  self.read_since_relax.fill(0);
}

bool Memory::NewsFor(size_t thread) const {
  const Knowledge& self = knowledge_[thread];
  for (size_t i = 0; i < count_; ++i) {
    if (self.read_since_relax[i] != 0 && self.read_since_relax[i] < locations_[i].history.size()) return true;
  }
  return false;
}

}  // namespace millrace::model
