#include "web/open_connections.h"

#include <sys/socket.h>

namespace millrace::web {

OpenConnections::OpenConnections(size_t number_max, std::chrono::milliseconds age_max)
    : number_max_(number_max), age_max_(age_max), cutter_([this] { CutOld(); }) {}

OpenConnections::~OpenConnections() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  cutter_.join();
}

OpenConnections::Id OpenConnections::Opened(int fd) {
  std::lock_guard lock(mutex_);
  const Id id = ++last_id_;
  open_.emplace(id, Connection{.fd = fd, .opened = std::chrono::steady_clock::now()});
  if (open_.size() > number_max_) CutFirst();
  changed_.notify_all();
  return id;
}

void OpenConnections::Closed(Id id) {
  std::lock_guard lock(mutex_);
  open_.erase(id);
  cut_.erase(id);
  changed_.notify_all();
}

void OpenConnections::CutOldest() {
  std::lock_guard lock(mutex_);
  if (!open_.empty()) CutFirst();
}

size_t OpenConnections::size() const {
  std::lock_guard lock(mutex_);
  return open_.size();
}

OpenConnections::Id OpenConnections::last() const {
  std::lock_guard lock(mutex_);
  return last_id_;
}

bool OpenConnections::AwaitOpened(Id id, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return last_id_ >= id; });
}

bool OpenConnections::AwaitDescriptors(size_t number, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return open_.size() + cut_.size() <= number; });
}

void OpenConnections::CutFirst() {
  const auto [id, connection] = *open_.begin();
  cut_.insert(id);
  shutdown(connection.fd, SHUT_RDWR);
  open_.erase(id);
}

void OpenConnections::CutOld() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (open_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Time due = open_.begin()->second.opened + age_max_;
    if (std::chrono::steady_clock::now() >= due) {
      CutFirst();
    } else {
      changed_.wait_until(lock, due);
    }
  }
}

}  // namespace millrace::web
