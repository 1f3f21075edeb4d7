// What the tests of leases begin with: a pool that remote workers run, and offers of such workers.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_worker.h"

namespace millrace::test {

class LeasesTest : public testing::Test {
 protected:
  void Run(const std::function<void(DispatchFixture&)>& body) { WithDispatcher(setup, body); }
  // A daemon that ends, and one that finds what the first has kept.
  void Lives(const std::function<void(DispatchFixture&)>& first, const std::function<void(DispatchFixture&)>& second) {
    store::MemoryJournal journal(store::MemoryJournal::Keep::kAll);
    setup.journal = &journal;
    Run(first);
    Run(second);
  }
  static dispatch::WorkerOffer Offer(std::string key, std::vector<std::string> kinds = {"resize"}, int slots = 8) {
    dispatch::WorkerOffer offer{.worker = "worker-" + key, .key = key, .slots = slots};
    for (std::string& kind : kinds) offer.kinds.push_back({.name = std::move(kind)});
    return offer;
  }
  static dispatch::WorkerOffer Back(std::string key, std::vector<dispatch::HeldLease> held) {
    dispatch::WorkerOffer offer = Offer(std::move(key));
    offer.held = std::move(held);
    return offer;
  }

  LeasingRunner remote;
  DispatchSetup setup = {.pools = {{.name = "default", .runner = "remote"}},
                         .options = {.finished_age_min = Nanos(0), .seed = 1},
                         .remote = &remote};
};

}  // namespace millrace::test
