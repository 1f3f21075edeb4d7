#include "base/connection_table.h"

#include <sys/stat.h>

#include <utility>

namespace millrace {

bool ConnectionTable::PeerFull(const std::string& peer) const {
  if (per_peer_max_ <= 0 || peer.empty()) return false;
  const auto found = by_peer_.find(peer);
  return found != by_peer_.end() && found->second >= per_peer_max_;
}

ConnectionTable::Verdict ConnectionTable::Add(int fd, const std::string& peer) {
  if ((Full() || PeerFull(peer)) && std::chrono::steady_clock::now() - swept_ >= kSweepEvery) Sweep();
  if (Full()) return Verdict::kFull;
  if (PeerFull(peer)) return Verdict::kPeerFull;
  // The table must not grow for ever, with no limit either. The next sweep comes when there are twice as many entries
  // as connections were open at the last one: so the cost of sweeps stays in proportion to the cost of accepting.
  if (entries_.size() == entries_.capacity() && entries_.size() >= 64) Sweep();
  struct stat now {};
  if (fstat(fd, &now) != 0) return Verdict::kAdded;
  entries_.push_back({fd, now.st_dev, now.st_ino, peer});
  if (!peer.empty()) ++by_peer_[peer];
  return Verdict::kAdded;
}

void ConnectionTable::Sweep() {
  swept_ = std::chrono::steady_clock::now();
  std::erase_if(entries_, [this](const Entry& entry) {
    struct stat now {};
    if (fstat(entry.fd, &now) == 0 && now.st_dev == entry.device && now.st_ino == entry.inode) return false;
    if (const auto found = by_peer_.find(entry.peer); found != by_peer_.end() && --found->second == 0) {
      by_peer_.erase(found);
    }
    return true;
  });
}

}  // namespace millrace
