#include "web/page_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <vector>

namespace millrace::web {
namespace {

using ::testing::HasSubstr;

const Request kRequest{.path = "/page"};

struct Client final : PageQueue::Waiter {
  void Ready(SharedAnswer made) override { answer.set_value(std::move(made)); }
  SharedAnswer Await() { return answer.get_future().get(); }
  std::promise<SharedAnswer> answer;
};

TEST(PageQueue, GivesAllWhoWaitTheSameAnswerInTheFormTheyTake) {
  std::latch asked(1), may_end(1);
  int rendered = 0;
  const Page page([&] {
    if (++rendered == 1) asked.count_down();
    may_end.wait();
    return Response{.body = std::string(10'000, 'x')};
  });
  PageQueue queue({});
  Client first;
  ASSERT_TRUE(queue.Ask(Request(kRequest), page, false, &first));
  asked.wait();
  std::vector<Client> others(4);
  for (size_t i = 0; i < others.size(); ++i) ASSERT_TRUE(queue.Ask(Request(kRequest), page, i % 2 == 0, &others[i]));
  may_end.count_down();
  first.Await();
  SharedAnswer packed = others[0].Await(), plain = others[1].Await();
  EXPECT_TRUE(packed->gzip);
  EXPECT_FALSE(plain->gzip);
  EXPECT_TRUE(packed->depends && plain->depends);
  EXPECT_EQ(plain->response.body, std::string(10'000, 'x'));
  EXPECT_EQ(others[2].Await(), packed);
  EXPECT_EQ(others[3].Await(), plain);
  EXPECT_EQ(rendered, 2);
}

TEST(PageQueue, AnswersApartThoseWhoAskAPageThatReadsTheRequestForDifferentThings) {
  std::latch asked(1), may_end(1);
  int responses = 0;
  const Page page([&](const Request& request) {
    if (++responses == 1) asked.count_down();
    may_end.wait();
    return Response{.body = request.query.at("pool")};
  });
  PageQueue queue({});
  auto ask = [&](const char* pool, Client* client) {
    return queue.Ask({.path = "/page", .query = {{"pool", pool}}}, page, false, client);
  };
  Client first, thumbs, mails, thumbs_again;
  ASSERT_TRUE(ask("first", &first));
  asked.wait();
  ASSERT_TRUE(ask("thumbs", &thumbs) && ask("mails", &mails) && ask("thumbs", &thumbs_again));
  may_end.count_down();
  EXPECT_EQ(first.Await()->response.body, "first");
  const SharedAnswer shared = thumbs.Await();
  EXPECT_EQ(shared->response.body, "thumbs");
  EXPECT_EQ(mails.Await()->response.body, "mails");
  EXPECT_EQ(thumbs_again.Await(), shared);
  EXPECT_EQ(responses, 3);
}

TEST(PageQueue, AnswersEverybodyBeforeItStopsAndNobodyAfterwards) {
  std::latch asked(1), may_end(1);
  const Page slow([&] {
    asked.count_down();
    may_end.wait();
    return Response{.body = "slow"};
  });
  const Page other([] { return Response{.body = "other"}; });
  PageQueue queue({});
  Client first, second, late;
  ASSERT_TRUE(queue.Ask(Request(kRequest), slow, false, &first));
  asked.wait();
  ASSERT_TRUE(queue.Ask(Request(kRequest), other, false, &second));
  may_end.count_down();
  queue.Stop();
  EXPECT_EQ(first.Await()->response.body, "slow");
  EXPECT_EQ(second.Await()->response.body, "other");
  EXPECT_FALSE(queue.Ask(Request(kRequest), other, false, &late));
}

TEST(PageQueue, AsksForRoomWhenAnswersAreNotRead) {
  int crowded = 0;
  PageQueue queue({.answer_bytes_max = 25'000, .on_crowded = [&] { ++crowded; }});
  const Page page([] { return Response{.body = std::string(10'000, 'x')}; });
  auto ask = [&] {
    Client client;
    EXPECT_TRUE(queue.Ask(Request(kRequest), page, false, &client));
    return client.Await();
  };
  std::vector<SharedAnswer> held{ask(), ask()};
  EXPECT_EQ(held[1]->response.status, 200);
  EXPECT_EQ(crowded, 0);
  EXPECT_EQ(ask()->response.status, 503);
  EXPECT_EQ(crowded, 1);
  held.pop_back();
  EXPECT_EQ(ask()->response.status, 200) << "there is room again";
}

TEST(PageQueue, LetsOneAnswerThroughHoweverLargeItIs) {
  PageQueue queue({.answer_bytes_max = 100});
  const Page page([] { return Response{.body = std::string(10'000, 'x')}; });
  Client client;
  ASSERT_TRUE(queue.Ask(Request(kRequest), page, false, &client));
  EXPECT_EQ(client.Await()->response.status, 200);
}

TEST(PageQueue, AnswersForAHandlerThatThrows) {
  PageQueue queue({});
  const Page page([]() -> Response { throw std::runtime_error("secret"); });
  Client client;
  ASSERT_TRUE(queue.Ask(Request(kRequest), page, true, &client));
  const SharedAnswer answer = client.Await();
  EXPECT_EQ(answer->response.status, 500);
  EXPECT_THAT(answer->response.body, HasSubstr("the daemon's log says why"));
}

}  // namespace
}  // namespace millrace::web
