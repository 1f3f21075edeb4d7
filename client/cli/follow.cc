#include "client/cli/follow.h"

namespace millrace::cli {
namespace {

// Jobs wait for one of the in_flight polls, so a poll is short: a long job must not hold back many that have finished.
constexpr auto kPoll = std::chrono::seconds(2);
constexpr auto kMargin = std::chrono::seconds(10);
constexpr auto kPatience = std::chrono::seconds(30);  // As ClientOptions::patience.
constexpr auto kPause = std::chrono::milliseconds(300);

}  // namespace

JobFollower::JobFollower(client::Client& client, OnFinished on_finished, v1::JobView view, std::stop_token stop,
                         size_t in_flight)
    : client_(client),
      on_finished_(std::move(on_finished)),
      view_(view),
      in_flight_max_(in_flight),
      forward_stop_(std::move(stop), [this] { stop_.request_stop(); }) {}

JobFollower::~JobFollower() {
  stop_.request_stop();
  WaitAll(std::nullopt);
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  if (pacer_.joinable()) pacer_.join();
}

bool JobFollower::MayBeAway(const Status& status) const {
  return status.code() == StatusCode::kUnavailable && client_.reached() && !stop_.stop_requested() &&
         Clock::now() - last_answer_ < kPatience;
}

bool JobFollower::Paused() const { return Clock::now() < paused_until_ && !stop_.stop_requested(); }

void JobFollower::Pace() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (queue_.empty() || in_flight_ >= in_flight_max_ || Paused()) {
      changed_.wait_for(lock, kPause / 2);
      continue;
    }
    auto [index, id] = std::move(queue_.front());
    queue_.pop_front();
    ++in_flight_;
    lock.unlock();
    Poll(index, std::move(id));
    lock.lock();
  }
}

void JobFollower::Add(size_t index, std::string id) {
  {
    std::lock_guard lock(mutex_);
    if (in_flight_ >= in_flight_max_ || (Paused() && pacer_.joinable())) {
      queue_.emplace_back(index, std::move(id));
      return;
    }
    ++in_flight_;
  }
  Poll(index, std::move(id));
}

void JobFollower::Poll(size_t index, std::string id) {
  v1::WaitJobRequest request;
  request.set_id(id);
  request.set_view(view_);
  // Once the daemon was reached, we wait for it when it goes away. So a client that was never answered asks first
  // whether it was reached.
  request.mutable_timeout()->set_seconds(client_.reached() ? kPoll.count() : 0);
  client_.WaitAsync(std::move(request), [this, index, id](const Result<v1::Job>& job) { Answer(index, id, job); },
                    {.deadline = kPoll + kMargin, .stop = stop_.get_token()});
}

void JobFollower::Answer(size_t index, const std::string& id, const Result<v1::Job>& job) {
  const bool timed_out = timed_out_;
  bool away = false;
  {
    std::lock_guard lock(mutex_);
    if (job.ok()) last_answer_ = Clock::now();
    away = !job.ok() && !timed_out && MayBeAway(job.status());
    if (away) paused_until_ = Clock::now() + kPause;
  }
  const bool finished = !away && (!job.ok() || client::IsTerminal(job->state()));
  if (!job.ok() && timed_out) {
    on_finished_(index,
                 DeadlineExceeded("DEADLINE", "job " + id + " did not finish in the time it was given").With("id", id));
  } else if (finished) {
    on_finished_(index, job);
  }

  std::unique_lock lock(mutex_);
  if (!finished) queue_.emplace_back(index, id);
  if (away && !pacer_.joinable()) pacer_ = std::thread([this] { Pace(); });
  if (queue_.empty() || (Paused() && pacer_.joinable())) {
    --in_flight_;
    changed_.notify_all();  // Under the lock, since this object may be deleted as soon as the lock is free.
    return;
  }
  auto [next_index, next_id] = std::move(queue_.front());
  queue_.pop_front();
  lock.unlock();
  Poll(next_index, std::move(next_id));
}

bool JobFollower::WaitAll(std::optional<std::chrono::milliseconds> timeout) {
  std::unique_lock lock(mutex_);
  const auto idle = [this] { return in_flight_ == 0 && queue_.empty(); };
  if (!timeout) {
    changed_.wait(lock, idle);
    return true;
  }
  if (changed_.wait_for(lock, *timeout, idle)) return true;
  lock.unlock();
  timed_out_ = true;
  stop_.request_stop();
  lock.lock();
  changed_.wait(lock, idle);
  return false;
}

}  // namespace millrace::cli
