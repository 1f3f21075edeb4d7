// CuttingProxy: a TCP proxy on the loopback interface, between a client and a server that listens there, which treats
// connections as the worst of networks do.
//
//   CutAfter   Each connection that comes is ended after so many bytes of both directions, drawn at random between two
//              bounds (each order of magnitude as often as the others): inside a frame mostly, and half of the time
//              with a reset.
//   EndIdle    A connection on which nothing came for so many ticks is ended. A machine that pauses gets no tick, so
//              that only a client that is silent itself is ended.
//   Swallow    The bytes of a direction vanish; the connection stays open. One that has lost bytes never gets any in
//              that direction again, as behind a firewall that has forgotten it.
//   LetThrough Nothing of this any more, for connections that come from then on, and for those that have lost nothing.
//   Threads    One of its own. Its functions are for any thread, and take effect within a tick.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <list>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"

namespace millrace::test {

class CuttingProxy {
 public:
  // `target`: "127.0.0.1:PORT".
  explicit CuttingProxy(const std::string& target, uint64_t seed = 1)
      : target_(Loopback(std::stoi(target.substr(target.rfind(':') + 1)))), random_(seed) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in any = Loopback(0);
    socklen_t size = sizeof(any);
    MR_CHECK(listener_ >= 0 && bind(listener_, AsAddress(&any), size) == 0 && listen(listener_, 1024) == 0 &&
                 getsockname(listener_, AsAddress(&any), &size) == 0,
             "the proxy cannot listen");
    port_ = ntohs(any.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) {
      while (!stop.stop_requested()) Turn();
    });
  }
  ~CuttingProxy() {
    thread_.request_stop();
    thread_.join();
    for (Link& each : links_) Close(each, false);
    close(listener_);
  }
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void CutAfter(size_t least, size_t most) {
    Set([&](Rules& rules) { rules.least = least, rules.most = most; });
  }
  void EndIdle(int ticks) {
    Set([&](Rules& rules) { rules.idle_ticks = ticks; });
  }
  void Swallow(bool from_client, bool from_server) {
    Set([&](Rules& rules) { rules.swallow[kFromClient] = from_client, rules.swallow[kFromServer] = from_server; });
  }
  void LetThrough() {
    Set([](Rules& rules) { rules = {}; });
  }
  // Those that are open now end, all at once.
  void CutAll() { cut_all_ = true; }

  int accepted() const { return accepted_; }
  int cut() const { return cut_; }  // By CutAfter and CutAll.
  int ended_idle() const { return ended_idle_; }
  uint64_t swallowed() const { return swallowed_; }  // Bytes.

 private:
  static constexpr int kTickMs = 10;
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
  enum Side { kFromClient, kFromServer };

  struct Rules {
    size_t least = 0, most = kNoLimit;
    int idle_ticks = 0;
    bool swallow[2] = {false, false};
  };
  struct Link {
    int fds[2] = {-1, -1};  // By Side: who speaks.
    std::string waits[2];   // What each has said and the other one has not taken.
    bool lost[2] = {false, false};
    size_t left = kNoLimit;  // Bytes until the cut.
    int idle = 0;
    bool over = false, reset = false;
  };

  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static sockaddr* AsAddress(sockaddr_in* address) { return reinterpret_cast<sockaddr*>(address); }

  template <typename Change>
  void Set(Change change) {
    std::lock_guard guard(mutex_);
    change(rules_);
  }
  Rules Get() {
    std::lock_guard guard(mutex_);
    return rules_;
  }

  // One wait for what comes, and what is to be done then.
  void Turn() {
    std::vector<pollfd> waits = {{.fd = listener_, .events = POLLIN, .revents = 0}};
    for (const Link& each : links_) {
      for (Side side : {kFromClient, kFromServer}) {
        const int events = (each.waits[side].empty() ? POLLIN : 0) | (each.waits[1 - side].empty() ? 0 : POLLOUT);
        waits.push_back({.fd = each.fds[side], .events = static_cast<short>(events), .revents = 0});
      }
    }
    const bool tick = poll(waits.data(), waits.size(), kTickMs) == 0;
    const Rules rules = Get();
    const bool cut_all = cut_all_.exchange(false);
    size_t at = 1;
    for (Link& each : links_) {
      for (Side side : {kFromClient, kFromServer}) {
        const short came = waits[at++].revents;
        if ((came & POLLOUT) != 0) Forward(each, static_cast<Side>(1 - side));
        if ((came & (POLLIN | POLLHUP | POLLERR)) != 0 && each.waits[side].empty()) Take(each, side, rules);
      }
      if (tick) ++each.idle;
      if (!each.over && rules.idle_ticks > 0 && each.idle > rules.idle_ticks) {
        each.over = true;
        ++ended_idle_;
      }
      if (!each.over && cut_all) {
        each.over = each.reset = true;
        ++cut_;
      }
    }
    links_.remove_if([](Link& each) {
      if (each.over) Close(each, each.reset);
      return each.over;
    });
    if (waits[0].revents != 0) Accept(rules);
  }

  void Accept(const Rules& rules) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    ++accepted_;
    // A connect on the loopback interface does not wait: it succeeds, or there is nobody.
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to = target_;
    Link link;
    link.fds[kFromClient] = client;
    link.fds[kFromServer] = server;
    if (server < 0 || connect(server, AsAddress(&to), sizeof(to)) != 0) return Close(link, true);
    const int on = 1;
    for (int fd : link.fds) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (rules.most != kNoLimit) {
      std::uniform_real_distribution<double> exponent(std::log(static_cast<double>(rules.least)),
                                                      std::log(static_cast<double>(rules.most)));
      link.left = static_cast<size_t>(std::exp(exponent(random_)));
    }
    links_.push_back(std::move(link));
  }

  void Take(Link& link, Side side, const Rules& rules) {
    char bytes[16 << 10];
    const ssize_t got = recv(link.fds[side], bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      link.over = true;
      return;
    }
    link.idle = 0;
    auto size = static_cast<size_t>(got);
    if (rules.swallow[side] || link.lost[side]) {
      link.lost[side] = true;
      swallowed_ += size;
      return;
    }
    const bool cut = rules.most != kNoLimit && size >= link.left;
    if (cut) size = link.left;
    link.left -= link.left == kNoLimit ? 0 : std::min(size, link.left);
    link.waits[side].assign(bytes, size);
    Forward(link, side);
    if (!cut || link.over) return;
    link.over = true;
    link.reset = random_() % 2 == 0;
    ++cut_;
  }

  static void Forward(Link& link, Side from) {
    std::string& bytes = link.waits[from];
    if (bytes.empty()) return;
    const ssize_t sent = send(link.fds[1 - from], bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) bytes.erase(0, static_cast<size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) link.over = true;
  }

  static void Close(Link& link, bool reset) {
    const linger at_once = {.l_onoff = 1, .l_linger = 0};
    for (int fd : link.fds) {
      if (fd < 0) continue;
      if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
      close(fd);
    }
  }

  const sockaddr_in target_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  Rules rules_;
  std::atomic<bool> cut_all_{false};
  std::atomic<int> accepted_{0}, cut_{0}, ended_idle_{0};
  std::atomic<uint64_t> swallowed_{0};
  // The thread's.
  std::mt19937_64 random_;
  std::list<Link> links_;
  std::jthread thread_;
};

}  // namespace millrace::test
