#include "web/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>
#include <vector>

namespace millrace::web {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Sends the bytes as they are and reads until the server closes the connection.
std::string Exchange(const Address& address, const std::string& request) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address.port);
  inet_pton(AF_INET, address.host.c_str(), &to.sin_addr);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return answer;
}

std::string Ask(const Server& server, const std::string& method, const std::string& path) {
  return Exchange(server.address(), method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
}

std::unique_ptr<Server> StartServer(std::map<std::string, Handler> pages) {
  auto server = Server::Start({.address = {"127.0.0.1", 0}}, std::move(pages));
  EXPECT_TRUE(server.ok()) << server.status().ToString();
  return std::move(server).value();
}

TEST(WebServer, AnswersAPageWithItsStatusTypeAndBody) {
  auto server =
      StartServer({{"/healthz", [] { return Response{.body = "alive\n"}; }},
                   {"/readyz", [] { return Response{.status = 503, .body = "draining\n"}; }},
                   {"/", [] { return Response{.content_type = "text/html; charset=utf-8", .body = "<p>hi</p>"}; }}});
  ASSERT_NE(server->address().port, 0);

  std::string alive = Ask(*server, "GET", "/healthz");
  EXPECT_THAT(alive, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(alive, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_THAT(alive, EndsWith("\r\n\r\nalive\n"));

  std::string draining = Ask(*server, "GET", "/readyz?verbose");
  EXPECT_THAT(draining, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(draining, EndsWith("draining\n"));

  EXPECT_THAT(Ask(*server, "GET", "/"), HasSubstr("Content-Type: text/html; charset=utf-8\r\n"));
}

TEST(WebServer, AnswersHeadWithoutABody) {
  auto server = StartServer({{"/healthz", [] { return Response{.body = "alive\n"}; }}});
  std::string head = Ask(*server, "HEAD", "/healthz");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
}

TEST(WebServer, RefusesOtherMethodsAndUnknownPaths) {
  auto server = StartServer({{"/healthz", [] { return Response{.body = "alive\n"}; }}});
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    std::string answer = Ask(*server, method, "/healthz");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
  }
  for (const char* path : {"/", "/healthz/", "/HEALTHZ", "/../healthzz", "/etc/passwd"}) {
    std::string answer = Ask(*server, "GET", path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 Not Found\r\n")) << path;
    EXPECT_THAT(answer, HasSubstr("there are: /healthz")) << path;
  }
}

TEST(WebServer, SurvivesAHandlerThatThrowsAndRequestsThatAreNoHttp) {
  auto server = StartServer({{"/throws", []() -> Response { throw std::runtime_error("secret"); }},
                             {"/ok", [] { return Response{.body = "ok"}; }}});
  std::string answer = Ask(*server, "GET", "/throws");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer, Not(HasSubstr("secret")));

  EXPECT_THAT(Exchange(server->address(), "\r\n\r\nhello\r\n\r\n"), Not(HasSubstr("200 OK")));
  EXPECT_THAT(Exchange(server->address(), "GET " + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n"),
              Not(HasSubstr("200 OK")));
  EXPECT_THAT(Ask(*server, "GET", "/ok"), EndsWith("\r\n\r\nok"));
}

TEST(WebServer, AnswersManyClientsAtOnce) {
  const std::string page(200'000, 'x');
  auto server = StartServer({{"/big", [&page] { return Response{.body = page}; }}});
  std::vector<std::thread> clients;
  std::vector<std::string> answers(8);
  for (auto& answer : answers) {
    clients.emplace_back([&] { answer = Ask(*server, "GET", "/big"); });
  }
  for (auto& client : clients) client.join();
  for (const auto& answer : answers) EXPECT_THAT(answer, EndsWith(page));
}

TEST(WebServer, NamesTheAddressItCannotHave) {
  auto server = StartServer({});
  auto second = Server::Start({.address = server->address()}, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().reason(), "ADDRESS_UNUSABLE");
  EXPECT_THAT(second.status().message(), HasSubstr(server->address().ToString()));
  EXPECT_THAT(second.status().message(), HasSubstr(": Address already in use; "));
  EXPECT_THAT(second.status().message(), HasSubstr("--http-address"));

  auto foreign = Server::Start({.address = {"192.0.2.1", 0}}, {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_THAT(foreign.status().message(), HasSubstr("Cannot assign requested address"));

  auto ipv6 = Server::Start({.address = {"::1", 0}}, {});
  ASSERT_FALSE(ipv6.ok());
  EXPECT_THAT(ipv6.status().message(), HasSubstr("use an IPv4 address"));
}

}  // namespace
}  // namespace millrace::web
