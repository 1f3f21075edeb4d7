#include "io/await.h"

#include <cstring>
#include <string>
#include <tuple>

#include "tests/io/io_fixture.h"

namespace millrace::io {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using test::WatchedFiber;

class AwaitTest : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Procs, AwaitTest, test::kAnyProcs);

struct TcpPair {
  TcpPair() : a(Context()), b(Context()) {
    tcp::acceptor acceptor(Context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    WatchedFiber connects([&] { a.async_connect(acceptor.local_endpoint(), await); });
    b = acceptor.async_accept(await);
  }
  tcp::socket a, b;
};

TEST_P(AwaitTest, ATimerOfAsioIsAwaited) {
  Run([] {
    asio::steady_timer timer(Context(), 2ms);
    timer.async_wait(await);
    EXPECT_GE(std::chrono::steady_clock::now(), timer.expiry());
  });
}

TEST_P(AwaitTest, ValuesAreReturned) {
  Run([] {
    TcpPair pair;
    size_t wrote = asio::async_write(pair.a, asio::buffer("hello", 5), await);
    EXPECT_EQ(wrote, 5u);
    char text[5];
    size_t read = asio::async_read(pair.b, asio::buffer(text), await);
    EXPECT_EQ(std::string(text, read), "hello");
  });
}

TEST_P(AwaitTest, ATokenHoldsItsLimitAndMayBeKept) {
  Run([] {
    const auto briefly = [] { return await(Within(2ms)); }();
    char overwrites_the_stack[2048];
    asio::steady_timer timer(Context(), 1h);
    for (int i = 0; i < 2; ++i) {
      memset(overwrites_the_stack, 'x', sizeof overwrites_the_stack);
      asm volatile("" ::"r"(overwrites_the_stack) : "memory");
      std::error_code error;
      timer.async_wait(briefly[error]);
      EXPECT_EQ(error, std::errc::timed_out);
    }
  });
}

TEST_P(AwaitTest, AnErrorIsThrownOrGivenToTheVariable) {
  Run([] {
    char text[5];
    TcpPair pair, other;
    pair.a.close(), other.a.close();
    try {
      pair.b.async_read_some(asio::buffer(text), await);
      ADD_FAILURE() << "it returned";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), asio::error::eof);
    }
    std::error_code error;
    EXPECT_EQ(other.b.async_read_some(asio::buffer(text), await[error]), 0u);
    EXPECT_EQ(error, asio::error::eof);
  });
}

TEST_P(AwaitTest, ASuccessClearsTheVariable) {
  Run([] {
    std::error_code error = asio::error::eof;
    asio::steady_timer timer(Context(), 0ms);
    timer.async_wait(await[error]);
    EXPECT_FALSE(error);
  });
}

TEST_P(AwaitTest, ADeadlineCancelsTheOperationAndLeavesTheObjectUsable) {
  Run([] {
    TcpPair pair;
    char text[5];
    std::error_code error;
    pair.b.async_read_some(asio::buffer(text), await(Within(2ms))[error]);
    EXPECT_EQ(error, std::errc::timed_out);
    EXPECT_EQ(AsioNetpoller::Current().Stats().watching, 0);
    asio::write(pair.a, asio::buffer("later", 5));
    EXPECT_EQ(asio::async_read(pair.b, asio::buffer(text), await), 5u);
  });
}

TEST_P(AwaitTest, ADeadlineInTheMiddleOfAComposedOperationTellsHowFarItCame) {
  Run([] {
    TcpPair pair;
    asio::write(pair.a, asio::buffer("abc", 3));
    char text[10];
    std::error_code error;
    // Two turns of the loop inside Asio; what is cancelled is its second part, or after a pause of the machine the
    // first: then once more.
    size_t read = 0;
    while (read == 0) {
      read = asio::async_read(pair.b, asio::buffer(text), await(Within(20ms))[error]);
      ASSERT_EQ(error, std::errc::timed_out);
    }
    EXPECT_EQ(std::string(text, read), "abc");
  });
}

TEST_P(AwaitTest, ACancelledTokenEndsATimer) {
  Run([] {
    sync::CancelSource source;
    std::error_code error;
    WatchedFiber waits([&] {
      asio::steady_timer timer(Context(), 1h);
      timer.async_wait(await(Until{.cancel = source.token()})[error]);
    });
    waits.AwaitParked();
    source.Cancel(Cancelled("TEST", "enough"));
    waits.Join();
    EXPECT_EQ(error, asio::error::operation_aborted);
  });
}

TEST_P(AwaitTest, DeadlinesThatRaceWithTheEndAreSettled) {
  static constexpr int kRounds = test::kSlowBuild ? 300 : 2'000;
  Run([] {
    int in_time = 0, late = 0;
    for (int i = 0; i < kRounds; ++i) {
      auto now = std::chrono::steady_clock::now();
      asio::steady_timer timer(Context(), now + 20us);
      std::error_code error;
      timer.async_wait(await(Until{.deadline = now + std::chrono::microseconds(i % 40)})[error]);
      if (!error) {
        ++in_time;
      } else {
        ASSERT_EQ(error, std::errc::timed_out);
        ++late;
      }
    }
    EXPECT_EQ(in_time + late, kRounds);
    EXPECT_EQ(AsioNetpoller::Current().Stats().watching, 0);
  });
}

// What a library without errors or with several values might ask for.
template <typename Signature, typename... Values>
auto CompleteWith(Values... values) {
  return asio::async_initiate<const Await, Signature>(
      [values...](auto handler) mutable {
        asio::post(Context(), [handler = std::move(handler), values...]() mutable { handler(std::move(values)...); });
      },
      await);
}

TEST_P(AwaitTest, EverySignatureHasItsResult) {
  Run([] {
    asio::post(Context(), await);
    EXPECT_EQ(CompleteWith<void(std::string)>(std::string("one")), "one");
    auto two = CompleteWith<void(std::error_code, int, std::string)>(std::error_code(), 2, std::string("two"));
    EXPECT_EQ(two, std::make_tuple(2, std::string("two")));
    EXPECT_THROW(CompleteWith<void(std::error_code)>(make_error_code(std::errc::io_error)), std::system_error);
  });
}

}  // namespace
}  // namespace millrace::io
