// Channels and select: a value handed over, between two fibers and among many.
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "sync/channel.h"
#include "sync/select.h"
#include "sync/wait_group.h"
#include "tests/bench/runtime/on_fiber.h"

namespace millrace {
namespace {

// One round trip: two hand-overs.
MR_BENCHMARK(pingpong_unbuffered) {
  sync::Channel<int> ping, pong;
  sync::WaitGroup done;
  done.Go([&] {
    for (int value : ping) pong.Send(value);
  });
  for (auto _ : state) {
    ping.Send(1);
    benchmark::DoNotOptimize(pong.Receive());
  }
  ping.Close();
  done.Wait();
  state.SetItemsProcessed(state.iterations());
}

// `producers` send `kValues` in all, `consumers` take them; one iteration is all of them.
void ProduceConsume(benchmark::State& state, int producers, int consumers, size_t capacity) {
  constexpr int kValues = 100'000;
  for (auto _ : state) {
    sync::Channel<int> channel(capacity);
    sync::WaitGroup sent, received;
    for (int p = 0; p < producers; ++p) {
      sent.Go([&] {
        for (int i = 0; i < kValues / producers; ++i) channel.Send(i);
      });
    }
    for (int c = 0; c < consumers; ++c) {
      received.Go([&] {
        while (std::optional<int> value = channel.Receive()) benchmark::DoNotOptimize(value);
      });
    }
    sent.Wait();
    channel.Close();
    received.Wait();
  }
  state.SetItemsProcessed(state.iterations() * (kValues / producers) * producers);
}

MR_BENCHMARK(chan_p1_c1_cap128) { ProduceConsume(state, 1, 1, 128); }
MR_BENCHMARK(chan_p4_c4_cap128) { ProduceConsume(state, 4, 4, 128); }
MR_BENCHMARK(chan_p4_c4_cap1) { ProduceConsume(state, 4, 4, 1); }
MR_BENCHMARK(chan_p4_c4_cap0) { ProduceConsume(state, 4, 4, 0); }
MR_BENCHMARK(chan_p1_c100_cap1024) { ProduceConsume(state, 1, 100, 1024); }

// Two producers on two unbuffered channels; one consumer selects among them.
MR_BENCHMARK(select_2chan) {
  sync::Channel<int> left, right;
  sync::Channel<sync::Nothing> stop;
  sync::WaitGroup producers;
  for (sync::Channel<int>* channel : {&left, &right}) {
    producers.Go([&stop, channel] {
      bool more = true;
      while (more) {
        sync::Select(sync::Send(*channel, 1), sync::Receive(stop, [&] { more = false; }));
      }
    });
  }
  for (auto _ : state) {
    int got = 0;
    sync::Select(sync::Receive(left, [&](std::optional<int> value) { got = *value; }),
                 sync::Receive(right, [&](std::optional<int> value) { got = *value; }));
    benchmark::DoNotOptimize(got);
  }
  stop.Close();
  producers.Wait();
  state.SetItemsProcessed(state.iterations());
}

// The first 2000 primes by a chain of filters, one fiber and one channel each (Hoare, McIlroy).
MR_BENCHMARK(prime_sieve_2000) {
  constexpr int kPrimes = 2000;
  for (auto _ : state) {
    std::vector<std::unique_ptr<sync::Channel<int>>> channels;
    channels.push_back(std::make_unique<sync::Channel<int>>());
    sync::WaitGroup fibers;
    fibers.Go([first = channels[0].get()] {
      for (int n = 2; first->SendUnlessClosed(int(n)); ++n) {
      }
    });
    int prime = 0;
    for (int i = 0; i < kPrimes; ++i) {
      sync::Channel<int>* in = channels.back().get();
      prime = *in->Receive();
      channels.push_back(std::make_unique<sync::Channel<int>>());
      fibers.Go([in, out = channels.back().get(), prime] {
        while (std::optional<int> n = in->Receive()) {
          if (*n % prime != 0 && !out->SendUnlessClosed(int(*n))) break;
        }
        // Hanging up goes against the stream: whoever still sends to us learns it from the closed channel.
        if (!in->closed()) in->Close();
      });
    }
    channels.back()->Close();
    fibers.Wait();
    if (prime != 17389) state.SkipWithError("the 2000th prime is 17389");
  }
  state.SetItemsProcessed(state.iterations());
}

}  // namespace
}  // namespace millrace
