// OpenConnections: the sockets that a server has open, by age. It cuts those that are open for too long, and the oldest
// when there are too many: a client that does nothing, or everything slowly, is older than all that are served.
//
//   Cutting   is shutdown(2): whoever serves the socket finds it at its end and closes it. A connection that is cut no
//             longer counts as open, but holds its descriptor until it is closed.
//   Threads   Any. A thread of this class cuts connections when they are too old. Only the Await calls wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace millrace::web {

class OpenConnections {
 public:
  // Throws std::system_error where the system refuses a thread.
  OpenConnections(size_t number_max, std::chrono::milliseconds age_max);
  ~OpenConnections();
  OpenConnections(const OpenConnections&) = delete;
  OpenConnections& operator=(const OpenConnections&) = delete;

  using Id = uint64_t;  // Never 0.
  Id Opened(int fd);
  // Before the descriptor is closed: its number may be another file's afterwards.
  void Closed(Id id);
  void CutOldest();
  size_t size() const;

  Id last() const;  // The newest id; 0 before the first.
  // Waits until `id` was opened. False: it was not within `patience`.
  bool AwaitOpened(Id id, std::chrono::milliseconds patience);
  // Waits until no more than `number` connections hold a descriptor. False: more of them did all the time.
  bool AwaitDescriptors(size_t number, std::chrono::milliseconds patience);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Connection {
    int fd;
    Time opened;
  };
  void CutOld();
  void CutFirst();  // The caller holds the lock.

  const size_t number_max_;
  const std::chrono::milliseconds age_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Id, Connection> open_;  // The oldest first, as ids grow.
  std::set<Id> cut_;               // Cut and not closed yet.
  Id last_id_ = 0;
  bool stopping_ = false;
  std::thread cutter_;
};

}  // namespace millrace::web
