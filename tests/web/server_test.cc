#include "web/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/web/http_client.h"

namespace millrace::web {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Pages AtOnce() {
  return {{"/healthz", {[] { return Response{.body = "alive\n"}; }, Cost::kAtOnce}}};
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

TEST(WebServer, GivesAHandlerMethodPathQueryAndHeaders) {
  auto show = [](const Request& request) {
    std::string body = request.method == Method::kGet ? "GET" : "HEAD";
    body += " " + request.path;
    for (const auto& [name, value] : request.query) body += " " + name + "=" + value;
    for (const auto& [name, value] : request.headers) body += " " + name + ": " + value;
    return Response{.content_type = request.method == Method::kGet ? "text/get" : "text/head", .body = body};
  };
  auto server = StartServer({{"/slow", show}, {"/at-once", {show, Cost::kAtOnce}}});
  for (const std::string path : {"/slow", "/at-once"}) {
    EXPECT_THAT(Ask(*server, "GET", path), EndsWith("\r\n\r\nGET " + path));
    EXPECT_THAT(Ask(*server, "GET", path + "?state=FAILED&pool=a%26b+c&verbose&pool=second"),
                EndsWith("\r\n\r\nGET " + path + " pool=a&b c state=FAILED verbose="));
    EXPECT_THAT(Ask(*server, "GET", path, "authorization: Bearer x\r\nAccept: text/html\r\nCookie: c\r\n"),
                EndsWith("\r\n\r\nGET " + path + " Accept: text/html Authorization: Bearer x"));
    EXPECT_THAT(Ask(*server, "HEAD", path), HasSubstr("Content-Type: text/head\r\n"));
  }
}

TEST(WebServer, RefusesOtherMethodsAndUnknownPaths) {
  auto server = StartServer({{"/healthz", [] { return Response{.body = "alive\n"}; }}});
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    std::string answer = Ask(*server, method, "/healthz");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n")) << method;
  }
  for (const char* path : {"/", "/healthz/", "/HEALTHZ", "/%68ealthz", "/healthz%00", "/../healthzz", "/etc/passwd"}) {
    std::string answer = Ask(*server, "GET", path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 Not Found\r\n")) << path;
    EXPECT_THAT(answer, HasSubstr("there are: /healthz")) << path;
  }
}

TEST(WebServer, SurvivesAHandlerThatThrowsAndRequestsThatAreNoHttp) {
  auto server =
      StartServer({{"/throws", []() -> Response { throw std::runtime_error("secret"); }},
                   {"/throws-at-once", {[]() -> Response { throw std::runtime_error("secret"); }, Cost::kAtOnce}},
                   {"/ok", [] { return Response{.body = "ok"}; }}});
  for (const char* path : {"/throws", "/throws-at-once"}) {
    std::string answer = Ask(*server, "GET", path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
  }

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
  EXPECT_EQ(second.status().reason(), "CANNOT_LISTEN");
  EXPECT_THAT(second.status().message(), HasSubstr(server->address().ToString()));
  EXPECT_THAT(second.status().message(), HasSubstr(": Address already in use; "));
  EXPECT_THAT(second.status().message(), HasSubstr("--http-address"));

  auto foreign = Server::Start({.address = {"192.0.2.1", 0}}, {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_THAT(foreign.status().message(), HasSubstr("Cannot assign requested address"));
}

TEST(WebServer, ListensOnIpv6) {
  auto server = Server::Start({.address = {"::1", 0}}, AtOnce());
  if (!server.ok()) GTEST_SKIP() << "this machine has no IPv6: " << server.status().message();
  EXPECT_THAT(Ask(**server, "GET", "/healthz"), EndsWith("\r\n\r\nalive\n"));
}

TEST(WebServer, CompressesALongPageForWhoeverAcceptsIt) {
  const std::string page(100'000, 'x');
  auto server = StartServer(
      {{"/long", [&page] { return Response{.body = page}; }}, {"/short", [] { return Response{.body = "short\n"}; }}});
  const std::string packed = Ask(*server, "GET", "/long", "Accept-Encoding: deflate, gzip\r\n");
  EXPECT_THAT(packed, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(packed, HasSubstr("\r\nContent-Encoding: gzip\r\n"));
  EXPECT_THAT(packed, HasSubstr("\r\nVary: Accept-Encoding\r\n"));
  EXPECT_LT(packed.size(), page.size() / 10);
  EXPECT_THAT(packed, HasSubstr("\r\n\r\n\x1f\x8b")) << "as gzip begins";

  const std::string plain = Ask(*server, "GET", "/long");
  EXPECT_THAT(plain, Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(plain, HasSubstr("\r\nVary: Accept-Encoding\r\n"));
  EXPECT_THAT(plain, EndsWith(page));
  EXPECT_THAT(Ask(*server, "GET", "/long", "Accept-Encoding: gzip;q=0\r\n"), EndsWith(page));
  EXPECT_THAT(Ask(*server, "GET", "/short", "Accept-Encoding: gzip\r\n"), EndsWith("\r\n\r\nshort\n"));
}

}  // namespace
}  // namespace millrace::web
