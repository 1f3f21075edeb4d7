#include "web/page_queue.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>

#include "base/log.h"
#include "web/gzip.h"

namespace millrace::web {
namespace {

constexpr size_t kWorthCompressing = 1024;  // Below it the answer is one packet either way.

}  // namespace

Response Render(const std::string& path, const Page& page) {
  try {
    return page.render();
  } catch (const std::exception& error) {
    LogError("the page %s failed: %s", path.c_str(), error.what());
    return {.status = 500, .body = "this page failed; the daemon's log says why\n"};
  }
}

PageQueue::PageQueue(Options options) : options_(std::move(options)), worker_([this] { Work(); }) {}

PageQueue::~PageQueue() { Stop(); }

void PageQueue::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
}

bool PageQueue::Ask(const std::string& path, const Page& page, bool gzip, Waiter* waiter) noexcept try {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= options_.waiting_max) return false;
    waiting_.push_back({.path = &path, .page = &page, .gzip = gzip, .waiter = waiter});
  }
  changed_.notify_all();
  return true;
} catch (const std::exception&) {  // No memory.
  return false;
}

void PageQueue::Work() {
  for (;;) {
    std::vector<Request> same;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const Page* page = waiting_.front().page;
      auto others = std::stable_partition(waiting_.begin(), waiting_.end(),
                                          [page](const Request& request) { return request.page == page; });
      same.assign(waiting_.begin(), others);
      waiting_.erase(waiting_.begin(), others);
    }
    Serve(same);
  }
}

void PageQueue::Serve(std::vector<Request>& same) {
  Response response = Render(*same.front().path, *same.front().page);
  const bool compressible = response.body.size() >= kWorthCompressing;
  auto wants_gzip = [&](const Request& request) { return compressible && request.gzip; };

  SharedAnswer packed, plain;
  if (std::any_of(same.begin(), same.end(), wants_gzip)) {
    if (std::optional<std::string> body = Gzip(response.body)) {
      packed = Share(
          {.response = {.status = response.status, .content_type = response.content_type, .body = *std::move(body)},
           .gzip = true,
           .depends = true});
    }
  }
  if (packed == nullptr || !std::all_of(same.begin(), same.end(), wants_gzip)) {
    plain = Share({.response = std::move(response), .depends = compressible});
  }
  for (const Request& request : same) {
    request.waiter->Ready(packed != nullptr && wants_gzip(request) ? packed : plain);
  }
}

SharedAnswer PageQueue::Share(Answer answer) {
  const size_t bytes = answer.response.body.capacity();
  const size_t held = held_->fetch_add(bytes, std::memory_order_relaxed);
  if (held > 0 && held + bytes > options_.answer_bytes_max) {
    held_->fetch_sub(bytes, std::memory_order_relaxed);
    if (options_.on_crowded) options_.on_crowded();
    return std::make_shared<const Answer>(
        Answer{.response = {.status = 503,
                            .body = "too much waits here for clients that do not read; try again in a second\n"}});
  }
  return {new Answer(std::move(answer)), [held_bytes = held_, bytes](const Answer* gone) {
            delete gone;
            held_bytes->fetch_sub(bytes, std::memory_order_relaxed);
          }};
}

}  // namespace millrace::web
