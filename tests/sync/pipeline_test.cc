// Many channels together: the pipelines of Go's test/chan (goroutines, sieve1, sieve2, powser1).
#include <memory>
#include <numeric>
#include <vector>

#include "sync/channel.h"
#include "sync/select.h"
#include "tests/support/fibers.h"
#include "tests/support/parked.h"

namespace millrace::sync {
namespace {

class PipelineTest : public test::OnAnyProcs {};
INSTANTIATE_TEST_SUITE_P(Procs, PipelineTest, test::kAnyProcs);

TEST_P(PipelineTest, ADaisyChainOfManyFibersPassesOneValueAlong) {
  Run([] {
    std::vector<std::unique_ptr<Channel<int>>> links;
    for (int i = 0; i <= test::kManyFibers; ++i) links.push_back(std::make_unique<Channel<int>>());
    WaitGroup done;
    for (int i = 0; i < test::kManyFibers; ++i) {
      done.Go([&, i] { links[i]->Send(1 + *links[i + 1]->Receive()); });
    }
    links.back()->Send(0);
    EXPECT_EQ(links.front()->Receive(), test::kManyFibers);
    done.Wait();
  });
}

// Every stage filters the multiples of its prime, and passes an end of the numbers on.
void SievePrimes(int capacity, int limit, std::vector<int>& primes) {
  WaitGroup stages;
  auto source = std::make_shared<Channel<int>>(capacity);
  stages.Go([source, limit] {
    for (int i = 2; i < limit; ++i) source->Send(i);
    source->Close();
  });
  while (std::optional<int> prime = source->Receive()) {
    primes.push_back(*prime);
    auto filtered = std::make_shared<Channel<int>>(capacity);
    stages.Go([from = source, to = filtered, prime = *prime] {
      for (int value : *from) {
        if (value % prime != 0) to->Send(value);
      }
      to->Close();
    });
    source = filtered;
  }
  stages.Wait();
}

TEST_P(PipelineTest, TheSieveFindsThePrimes) {
  Run([] {
    const int limit = test::kSlowBuild ? 300 : 1500;
    std::vector<int> expected;
    for (int i = 2; i < limit; ++i) {
      bool prime = true;
      for (int divisor = 2; divisor * divisor <= i; ++divisor) prime &= i % divisor != 0;
      if (prime) expected.push_back(i);
    }
    for (int capacity : {0, 1, 16}) {
      std::vector<int> primes;
      SievePrimes(capacity, limit, primes);
      EXPECT_EQ(primes, expected) << "capacity " << capacity;
    }
  });
}

// Power series as streams of coefficients; each operation is a fiber that asks for a coefficient only when asked for
// one. The product runs both operands through splitters of unequal speed, as powser1 does.
class Series {
 public:
  explicit Series(Channel<Nothing>& stop) : stop_(stop) {}

  Channel<int64_t>& New() {
    channels_.push_back(std::make_unique<Channel<int64_t>>());
    return *channels_.back();
  }
  // False: the test is over.
  bool Put(Channel<int64_t>& to, int64_t value) { return Select(Send(to, value), Receive(stop_)) == 0; }
  bool Get(Channel<int64_t>& from, int64_t& value) {
    return Select(Receive(from, [&](std::optional<int64_t> v) { value = *v; }), Receive(stop_)) == 0;
  }

  // 1 + x + x^2 + ...
  Channel<int64_t>& Ones() {
    Channel<int64_t>& out = New();
    fibers_.Go([this, &out] {
      while (Put(out, 1)) {
      }
    });
    return out;
  }
  Channel<int64_t>& Add(Channel<int64_t>& a, Channel<int64_t>& b) {
    Channel<int64_t>& out = New();
    fibers_.Go([this, &a, &b, &out] {
      int64_t left, right;
      while (Get(a, left) && Get(b, right) && Put(out, left + right)) {
      }
    });
    return out;
  }
  // The coefficients seen so far are kept by the fiber: c[n] = sum of a[i] b[n-i].
  Channel<int64_t>& Multiply(Channel<int64_t>& a, Channel<int64_t>& b) {
    Channel<int64_t>& out = New();
    fibers_.Go([this, &a, &b, &out] {
      std::vector<int64_t> as, bs;
      for (;;) {
        if (!Get(a, as.emplace_back()) || !Get(b, bs.emplace_back())) return;
        if (!Put(out, std::inner_product(as.begin(), as.end(), bs.rbegin(), int64_t{0}))) return;
      }
    });
    return out;
  }
  void Wait() { fibers_.Wait(); }

 private:
  Channel<Nothing>& stop_;
  WaitGroup fibers_;
  std::vector<std::unique_ptr<Channel<int64_t>>> channels_;
};

TEST_P(PipelineTest, PowerSeriesAreAddedAndMultiplied) {
  Run([] {
    Channel<Nothing> stop;
    Series series(stop);
    // (1/(1-x))^4 + 1/(1-x): the tetrahedral numbers and one.
    Channel<int64_t>& squared = series.Multiply(series.Ones(), series.Ones());
    Channel<int64_t>& fourth = series.Multiply(squared, series.Multiply(series.Ones(), series.Ones()));
    Channel<int64_t>& sum = series.Add(fourth, series.Ones());
    for (int64_t n = 0; n < 100; ++n) {
      EXPECT_EQ(sum.Receive(), (n + 1) * (n + 2) * (n + 3) / 6 + 1);
    }
    stop.Close();
    series.Wait();
  });
}

}  // namespace
}  // namespace millrace::sync
