#include "pages/routes.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "base/version.h"
#include "web/pages.h"

namespace millrace::pages {
namespace {

std::string Fixed(double value) {
  char text[32];
  snprintf(text, sizeof(text), "%.2f", value);
  return text;
}

const char* StateWord(const Health& health) {
  if (health.draining) return "draining";
  if (!health.store.ok()) return "no new jobs, since the store fails";
  return health.reachable.ok() ? "ready" : "no new connections: the limit of open files or of connections is reached";
}

web::Response Overview(const Sources& sources) {
  web::StatusPage page{.title = "Millrace",
                       .facts = {{"version", Version()},
                                 {"gRPC", sources.grpc_address},
                                 {"state", StateWord(sources.health())},
                                 {"store", sources.store},
                                 {"processors", std::to_string(sources.processors())}},
                       .columns = {"pool", "runner", "state", "workers", "busy", "queued", "capacity", "scheduled",
                                   "speedup", "efficiency", "utilization"},
                       .links = {"/metrics", "/healthz", "/readyz"}};
  for (const auto& pool : sources.pools()) {
    page.rows.push_back({pool.name, pool.runner, dispatch::ToString(pool.state), std::to_string(pool.workers),
                         std::to_string(pool.workers_busy), std::to_string(pool.queued_jobs),
                         std::to_string(pool.capacity_jobs), std::to_string(pool.scheduled_jobs),
                         Fixed(pool.efficiency.speedup), Fixed(pool.efficiency.efficiency),
                         Fixed(pool.efficiency.utilization)});
  }
  return web::Render(page);
}

web::Response Readiness(const Health& health) {
  if (health.draining) return {.status = 503, .body = "draining\n"};
  if (!health.store.ok()) return {.status = 503, .body = health.store.message() + "\n"};
  if (!health.reachable.ok()) return {.status = 503, .body = health.reachable.message() + "\n"};
  return {.body = "ready\n"};
}

}  // namespace

web::Pages MakeRoutes(Sources sources) {
  const auto from = std::make_shared<const Sources>(std::move(sources));
  return {{"/", [from] { return Overview(*from); }},
          {"/metrics", [from] { return from->metrics(); }},
          {"/healthz", {[] { return web::Response{.body = "alive\n"}; }, web::Cost::kAtOnce}},
          {"/readyz", {[from] { return Readiness(from->health()); }, web::Cost::kAtOnce}}};
}

}  // namespace millrace::pages
