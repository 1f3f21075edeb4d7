#include "web/page_queue.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "base/log.h"
#include "web/gzip.h"

namespace millrace::web {
namespace {

constexpr size_t kWorthCompressing = 1024;  // Below it the answer is one packet either way.

}  // namespace

Response Respond(const Page& page, const Request& request) {
  try {
    return page.respond(request);
  } catch (const std::exception& error) {
    LogError("the page %s failed: %s", request.path.c_str(), error.what());
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

bool PageQueue::Ask(Request&& request, const Page& page, bool gzip, Waiter* waiter) noexcept try {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= options_.waiting_max) return false;
    waiting_.push_back({.request = std::move(request), .page = &page, .gzip = gzip, .waiter = waiter});
  }
  changed_.notify_all();
  return true;
} catch (const std::exception&) {  // No memory.
  return false;
}

bool PageQueue::MayShare(const Place& one, const Place& other) {
  return one.page == other.page && (!one.page->reads_request || one.request == other.request);
}

void PageQueue::Work() {
  for (;;) {
    std::vector<Place> same;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      std::vector<Place> others;
      for (Place& place : waiting_) {
        const bool shares = same.empty() || MayShare(same.front(), place);
        (shares ? same : others).push_back(std::move(place));
      }
      waiting_ = std::move(others);
    }
    Serve(same);
  }
}

void PageQueue::Serve(std::vector<Place>& same) {
  Response response = Respond(*same.front().page, same.front().request);
  const bool compressible = response.body.size() >= kWorthCompressing;
  auto wants_gzip = [&](const Place& place) { return compressible && place.gzip; };

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
  for (const Place& place : same) place.waiter->Ready(packed != nullptr && wants_gzip(place) ? packed : plain);
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
