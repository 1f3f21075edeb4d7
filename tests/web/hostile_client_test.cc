// Clients that keep to no protocol: each is served late or not at all, and nobody else notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "tests/web/http_client.h"
#include "web/server.h"

namespace millrace::web {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// So that nothing but what a test is about cuts anybody.
const ServerOptions kPatient{.idle_timeout = seconds(600), .lifetime_max = seconds(600)};
constexpr const char* kAlive = "HTTP/1.1 200 OK\r\n";

Pages AlivePage() {
  return {{"/healthz", {[] { return Response{.body = "alive\n"}; }, Cost::kAtOnce}}};
}

// Both ends of every connection are this process's.
bool AllowDescriptors(rlim_t number) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= number) return true;
  limit.rlim_cur = std::min(limit.rlim_max, number);
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= number;
}

void ServesBesideSilentConnections(size_t number) {
  if (!AllowDescriptors(2 * number + 1000)) GTEST_SKIP() << "this user may not open " << 2 * number << " descriptors";
  auto server = StartServer(AlivePage(), kPatient);
  std::vector<HttpClient> silent;
  silent.reserve(number);
  for (size_t i = 0; i < number; ++i) {
    silent.emplace_back(server->address());
    ASSERT_TRUE(silent.back().connected());
  }
  EXPECT_THAT(Ask(*server, "GET", "/healthz"), StartsWith(kAlive));
}

TEST(HostileClient, HoldsNobodyUpByAHundredSilentConnections) { ServesBesideSilentConnections(100); }
TEST(HostileClient, HoldsNobodyUpByAThousandSilentConnections) { ServesBesideSilentConnections(1000); }

TEST(HostileClient, HoldsNobodyUpWhenItComesFasterThanItIsCut) {
  if (!AllowDescriptors(3000)) GTEST_SKIP() << "this user may not open 3000 descriptors";
  ServerOptions options = kPatient;
  options.connections_max = 4;
  auto server = StartServer(AlivePage(), options);
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      std::vector<HttpClient> silent;
      silent.reserve(250);
      for (int k = 0; k < 250; ++k) silent.emplace_back(server->address());
    });
  }
  // Among so many that come after it this one may be cut as well; it must not hang.
  for (int i = 0; i < 20; ++i) Ask(*server, "GET", "/healthz");
  for (auto& client : clients) client.join();
  EXPECT_THAT(Ask(*server, "GET", "/healthz"), StartsWith(kAlive));
}

TEST(HostileClient, IsCutWhenItIsSilent) {
  ServerOptions options = kPatient;
  options.idle_timeout = seconds(1);
  auto server = StartServer(AlivePage(), options);
  const HttpClient nothing(server->address()), half(server->address());
  ASSERT_TRUE(half.Send("GET /healthz HT"));
  bool timed_out = true;
  nothing.ReadAll(&timed_out);
  EXPECT_FALSE(timed_out);
  half.ReadAll(&timed_out);
  EXPECT_FALSE(timed_out);
}

TEST(HostileClient, IsCutWhenItSendsItsHeadersByteByByte) {
  ServerOptions options = kPatient;
  options.lifetime_max = milliseconds(300);
  auto server = StartServer(AlivePage(), options);
  const HttpClient slow(server->address());
  ASSERT_TRUE(slow.Send("GET /healthz HTTP/1.1\r\nX-Slow: "));
  int sent = 0;
  while (!slow.IsCut() && slow.Send("x")) {
    std::this_thread::sleep_for(milliseconds(5));
    ASSERT_LT(++sent, 20'000) << "it is served for ever";
  }
  EXPECT_THAT(Ask(*server, "GET", "/healthz"), StartsWith(kAlive));
}

TEST(HostileClient, IsCutWhenItsHeadersDoNotEnd) {
  auto server = StartServer(AlivePage(), kPatient);
  const HttpClient endless(server->address());
  ASSERT_TRUE(endless.Send("GET /healthz HTTP/1.1\r\n"));
  const std::string header = "X-More: " + std::string(1000, 'x') + "\r\n";
  size_t sent = 0;
  while (endless.Send(header)) {
    sent += header.size();
    ASSERT_LT(sent, size_t{64} << 20) << "it may send without end";
  }
  EXPECT_THAT(Ask(*server, "GET", "/healthz"), StartsWith(kAlive));
}

TEST(HostileClient, GetsNoRequestLineWithoutEndThrough) {
  auto server = StartServer(AlivePage(), kPatient);
  const std::string answer = Exchange(server->address(), "GET /" + std::string(1 << 20, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, ::testing::Not(HasSubstr("200 OK")));
  EXPECT_THAT(Ask(*server, "GET", "/healthz"), StartsWith(kAlive));
}

TEST(HostileClient, GetsOneAnswerForAThousandRequestsAtOnce) {
  std::atomic<int> asked{0};
  auto server = StartServer({{"/healthz",
                              {[&] {
                                 asked.fetch_add(1);
                                 return Response{.body = "alive\n"};
                               },
                               Cost::kAtOnce}}},
                            kPatient);
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += RequestOf("GET", "/healthz");
  const HttpClient client(server->address());
  client.Send(requests);
  client.ReadAll();
  EXPECT_EQ(asked.load(), 1);
}

TEST(HostileClient, IsAnsweredBeforeItsBodyIsRead) {
  auto server = StartServer(AlivePage(), kPatient);
  const HttpClient client(server->address());
  ASSERT_TRUE(client.Send(RequestOf("POST", "/healthz", "Content-Length: 1000000000000\r\n")));
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 405 "));
}

TEST(HostileClient, HoldsNoHealthCheckUpByAskingForPagesThatTakeLong) {
  std::latch asked(1), may_end(1);
  Pages pages = AlivePage();
  pages.insert({"/slow", [&] {
                  asked.count_down();
                  may_end.wait();
                  return Response{.body = "slow\n"};
                }});
  auto server = StartServer(std::move(pages), kPatient);
  const HttpClient slow(server->address());
  ASSERT_TRUE(slow.Send(RequestOf("GET", "/slow")));
  asked.wait();
  EXPECT_THAT(Ask(*server, "GET", "/healthz"), StartsWith(kAlive));
  may_end.count_down();
  EXPECT_THAT(slow.ReadAll(), EndsWith("\r\n\r\nslow\n"));
}

TEST(HostileClient, IsRefusedWhenTooManyWaitForAPage) {
  std::latch asked(1), may_end(1);
  std::atomic<int> rendered{0};
  ServerOptions options = kPatient;
  options.pages_waiting_max = 3;
  auto server = StartServer({{"/slow",
                              [&] {
                                if (rendered.fetch_add(1) == 0) asked.count_down();
                                may_end.wait();
                                return Response{.body = "slow\n"};
                              }}},
                            options);
  std::vector<HttpClient> clients;
  clients.emplace_back(server->address());
  ASSERT_TRUE(clients.back().Send(RequestOf("GET", "/slow")));
  asked.wait();
  // Answers come in no order, so the refused ones are read first: one that waits cannot be told from one on its way.
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(server->address());
    ASSERT_TRUE(clients.back().Send(RequestOf("GET", "/slow")));
  }
  auto refused = [&] {
    return std::count_if(clients.begin(), clients.end(), [](const HttpClient& client) { return client.HasBytes(); });
  };
  while (refused() < 5) std::this_thread::yield();
  may_end.count_down();
  int served = 0;
  for (const HttpClient& client : clients) {
    const std::string answer = client.ReadAll();
    served += answer.ends_with("slow\n");
    EXPECT_TRUE(answer.ends_with("slow\n") || answer.starts_with("HTTP/1.1 503 ")) << answer;
  }
  EXPECT_EQ(served, 4);
  EXPECT_EQ(rendered.load(), 2) << "those who waited share an answer";
}

TEST(HostileClient, HoldsNoMoreThanAShareOfMemoryByNotReadingItsAnswers) {
  const size_t page_bytes = size_t{8} << 20;
  ServerOptions options = kPatient;
  options.answer_bytes_max = 3 * page_bytes;
  auto server = StartServer({{"/big", [&] { return Response{.body = std::string(page_bytes, 'x')}; }}}, options);
  std::vector<HttpClient> unread;
  for (int i = 0; i < 20; ++i) {
    unread.emplace_back(server->address(), 4096);
    ASSERT_TRUE(unread.back().Send(RequestOf("GET", "/big")));
    // What it does not read beyond the first byte stays where it is.
    while (!unread.back().HasBytes() && !unread.back().IsCut()) std::this_thread::yield();
  }
  // The oldest of them are cut to make room for clients that read.
  while (!Ask(*server, "GET", "/big").ends_with("xxxx")) std::this_thread::yield();
}

TEST(HostileClient, DoesNotKeepTheServerFromEnding) {
  std::latch asked(1);
  auto server = StartServer({{"/slow",
                              [&] {
                                asked.count_down();
                                return Response{.body = std::string(8 << 20, 'x')};
                              }}},
                            kPatient);
  std::vector<HttpClient> clients;
  for (int i = 0; i < 10; ++i) clients.emplace_back(server->address(), 4096);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(clients[static_cast<size_t>(i)].Send(RequestOf("GET", "/slow")));
  asked.wait();
  server.reset();
  for (const HttpClient& client : clients) {
    bool timed_out = true;
    client.ReadAll(&timed_out);
    EXPECT_FALSE(timed_out);
  }
}

}  // namespace
}  // namespace millrace::web
