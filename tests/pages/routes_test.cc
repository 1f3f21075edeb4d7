#include "pages/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/version.h"

namespace millrace::pages {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

class Routes : public ::testing::Test {
 protected:
  web::Response Get(const std::string& path) {
    return MakeRoutes(
               {.grpc_address = "127.0.0.1:7070",
                .store = "memory",
                .health = [this] { return health_; },
                .processors = [] { return 3; },
                .pools = [this] { return pools_; },
                .metrics = [] { return web::Response{.content_type = "text/metrics", .body = "millrace_up 1\n"}; }})
        .at(path)
        .respond({.path = path});
  }

  Health health_;
  std::vector<dispatch::PoolStatus> pools_;
};

TEST_F(Routes, AreThese) {
  EXPECT_THAT(MakeRoutes({}), ElementsAre(Key("/"), Key("/healthz"), Key("/metrics"), Key("/readyz")));
}

TEST_F(Routes, HealthIsAskedAtOnceAndAllElseMayTakeLong) {
  for (const auto& [path, page] : MakeRoutes({})) {
    EXPECT_EQ(page.cost == web::Cost::kAtOnce, path == "/healthz" || path == "/readyz") << path;
    EXPECT_FALSE(page.reads_request) << path << " is made once for all who wait for it";
  }
}

TEST_F(Routes, MetricsAreThoseOfTheirSource) {
  EXPECT_EQ(Get("/metrics").body, "millrace_up 1\n");
  EXPECT_EQ(Get("/metrics").content_type, "text/metrics");
}

TEST_F(Routes, HealthzAnswersWhateverTheDaemonDoes) {
  health_ = {.draining = true, .store = Unavailable("STORE", "broken"), .reachable = Unavailable("FULL", "full")};
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/healthz").body, "alive\n");
}

TEST_F(Routes, ReadyzSaysWhyNoJobIsAccepted) {
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(Get("/readyz").body, "ready\n");

  health_.reachable = Unavailable("FULL", "no descriptor is left");
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/readyz").body, "no descriptor is left\n");
  health_.store = Unavailable("STORE", "the disk is full");
  EXPECT_EQ(Get("/readyz").body, "the disk is full\n");
  health_.draining = true;
  EXPECT_EQ(Get("/readyz").body, "draining\n");
  EXPECT_EQ(Get("/readyz").status, 503);
}

TEST_F(Routes, TheOverviewHasTheDaemonsFactsAndARowForEachPool) {
  pools_.push_back({.name = "thumbs",
                    .runner = "exec",
                    .state = dispatch::PoolState::kPaused,
                    .workers = 4,
                    .workers_busy = 2,
                    .capacity_jobs = 1000,
                    .queued_jobs = 17,
                    .scheduled_jobs = 5});
  pools_.push_back({.name = "<script>"});
  const web::Response page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body,
              AllOf(HasSubstr("<dt>version</dt><dd>" + std::string(Version()) + "</dd>"),
                    HasSubstr("<dt>gRPC</dt><dd>127.0.0.1:7070</dd>"), HasSubstr("<dt>state</dt><dd>ready</dd>"),
                    HasSubstr("<dt>store</dt><dd>memory</dd>"), HasSubstr("<dt>processors</dt><dd>3</dd>")));
  EXPECT_THAT(page.body, HasSubstr("<tr><td>thumbs</td><td>exec</td><td>PAUSED</td><td>4</td><td>2</td><td>17</td>"
                                   "<td>1000</td><td>5</td><td>0.00</td>"));
  EXPECT_THAT(page.body, Not(HasSubstr("<script>")));
  for (const auto& [path, other] : MakeRoutes({})) {
    EXPECT_EQ(page.body.find("<a href=\"" + path + "\">") != std::string::npos, path != "/") << path;
  }
}

TEST_F(Routes, TheOverviewSaysInAWordHowTheDaemonIs) {
  health_.reachable = Unavailable("FULL", "no descriptor is left");
  EXPECT_THAT(Get("/").body, HasSubstr("no new connections: the limit of open files or of connections is reached"));
  health_.store = Unavailable("STORE", "the disk is full");
  EXPECT_THAT(Get("/").body, HasSubstr("<dd>no new jobs, since the store fails</dd>"));
  health_.draining = true;
  EXPECT_THAT(Get("/").body, HasSubstr("<dd>draining</dd>"));
}

}  // namespace
}  // namespace millrace::pages
