// A client that sends the bytes it is told to, for tests of the HTTP port. Only a hang ends by time.
#pragma once

#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/address.h"
#include "web/server.h"

namespace millrace::web {

class HttpClient {
 public:
  // `receive_buffer`: the system's choice where it is 0.
  explicit HttpClient(const Address& address, int receive_buffer = 0) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) return;
    fd_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    const timeval hang{.tv_sec = 60, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &hang, sizeof(hang));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &hang, sizeof(hang));
    connected_ = connect(fd_, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
  }
  ~HttpClient() {
    if (fd_ >= 0) close(fd_);
  }
  HttpClient(HttpClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(std::exchange(other.connected_, false)) {}
  HttpClient& operator=(HttpClient&&) = delete;

  bool connected() const { return connected_; }

  // False: the server has cut the connection.
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Until the server closes; `timed_out` is set where it does not.
  std::string ReadAll(bool* timed_out = nullptr) const {
    std::string answer;
    char buffer[4096];
    ssize_t n = 0;
    while ((n = recv(fd_, buffer, sizeof(buffer), 0)) > 0) answer.append(buffer, static_cast<size_t>(n));
    if (timed_out != nullptr) *timed_out = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return answer;
  }

  // Without waiting: has an answer begun? Is there an end, and no byte before it?
  bool HasBytes() const { return Peek() > 0; }
  bool IsCut() const {
    const ssize_t n = Peek();
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }

 private:
  ssize_t Peek() const {
    char byte;
    return recv(fd_, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  }

  int fd_ = -1;
  bool connected_ = false;
};

inline std::string Exchange(const Address& address, const std::string& request) {
  const HttpClient client(address);
  client.Send(request);
  return client.ReadAll();
}

inline std::string RequestOf(const std::string& method, const std::string& path, const std::string& headers = "") {
  return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

inline std::string Ask(const Server& server, const std::string& method, const std::string& path,
                       const std::string& headers = "") {
  return Exchange(server.address(), RequestOf(method, path, headers));
}

inline std::unique_ptr<Server> StartServer(Pages pages, ServerOptions options = {}) {
  options.address = {"127.0.0.1", 0};
  auto server = Server::Start(options, std::move(pages));
  EXPECT_TRUE(server.ok()) << server.status().ToString();
  return std::move(server).value();
}

}  // namespace millrace::web
