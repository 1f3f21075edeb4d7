// PlacementTest: the fixture for tests of which worker gets which job.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dispatch/leases.h"
#include "tests/support/leases_fixture.h"

namespace millrace::test {

class PlacementTest : public LeasesTest {
 protected:
  static dispatch::WorkerOffer Labelled(std::string key, LabelSet labels) {
    dispatch::WorkerOffer offer = Offer(std::move(key));
    offer.labels = std::move(labels);
    return offer;
  }
  static JobSpec Requiring(DispatchFixture& d, LabelSet require, LabelSet prefer = {}) {
    JobSpec spec = d.Spec("resize");
    spec.placement.require = std::move(require);
    spec.placement.prefer = std::move(prefer);
    return spec;
  }
  static std::vector<JobId> Given(FakeWorker& worker) {
    worker.Look();
    std::vector<JobId> ids;
    for (const dispatch::Lease& lease : worker.news.given) ids.push_back(lease.ref.job);
    return ids;
  }
  static millrace::Waiting Why(DispatchFixture& d, const JobId& id) {
    auto job = d.dispatcher.Get(id, /*full=*/false, /*explain=*/true);
    DispatchFixture::Require(job.status());
    return job->waiting.value_or(millrace::Waiting{.message = "it does not wait"});
  }
};

}  // namespace millrace::test
