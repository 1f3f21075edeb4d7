// ConnectionTable: which of the connections that were handed to somebody else are still open.
//
//   How       A descriptor's number is used again once it is closed; its inode is not while any descriptor refers to
//             it. So a number whose inode has changed is another file, and the connection is gone.
//   Cost      Sweep is one fstat for each connection. Add sweeps where it needs room, but no more often than
//             kSweepEvery.
//   Threads   One at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace {

class ConnectionTable {
 public:
  // 10,000 connections are swept in some 3 ms: a client that keeps knocking costs a twentieth of one processor.
  static constexpr std::chrono::milliseconds kSweepEvery{50};

  // 0: no limit.
  ConnectionTable(int connections_max, int per_peer_max) : max_(connections_max), per_peer_max_(per_peer_max) {}

  enum class Verdict { kAdded, kFull, kPeerFull };

  // `peer`: the client that the connection belongs to; empty where nobody counts its connections.
  Verdict Add(int fd, const std::string& peer);
  // Forgets the connections that are closed.
  void Sweep();
  int size() const { return static_cast<int>(entries_.size()); }

 private:
  struct Entry {
    int fd;
    dev_t device;
    ino_t inode;
    std::string peer;
  };

  bool Full() const { return max_ > 0 && size() >= max_; }
  bool PeerFull(const std::string& peer) const;

  const int max_, per_peer_max_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, int> by_peer_;
  std::chrono::steady_clock::time_point swept_{};
};

}  // namespace millrace
