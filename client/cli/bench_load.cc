#include "client/cli/bench_load.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <thread>
#include <utility>

#include "client/submit_stream.h"

namespace millrace::cli {
namespace {

using std::chrono::steady_clock;

// How many jobs of one connection are unanswered. A full gate opens when a quarter of it is free, so that the sender
// wakes for many jobs, not for each.
class Gate {
 public:
  explicit Gate(int64_t window) : window_(window), reopen_(window - std::max<int64_t>(window / 4, 1)) {}

  // True: after this one there is no room for another `count`.
  bool Enter(int64_t count) {
    std::unique_lock lock(mutex_);
    if (inside_ > 0 && inside_ + count > window_) {
      waiting_ = true;
      changed_.wait(lock, [&] { return inside_ == 0 || (inside_ <= reopen_ && inside_ + count <= window_); });
      waiting_ = false;
    }
    inside_ += count;
    return inside_ + count > window_;
  }
  void Leave(int64_t count) {
    std::lock_guard lock(mutex_);
    inside_ -= count;
    if (waiting_ && (inside_ <= reopen_ || inside_ == 0)) changed_.notify_all();
  }
  void WaitEmpty() {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.wait(lock, [this] { return inside_ == 0; });
  }

 private:
  const int64_t window_;
  const int64_t reopen_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t inside_ = 0;
  bool waiting_ = false;
};

class Load {
 public:
  Load(const LoadOptions& options, const std::function<void(const Acknowledged&)>& on_acknowledged, LoadResult& result)
      : options_(options), on_acknowledged_(on_acknowledged), result_(result), start_(steady_clock::now()) {
    result_.start = start_;
  }

  // Jobs first, first + stride, ... below options.jobs, or batches of them.
  void Send(client::Client& client, int64_t first, int64_t stride) {
    switch (options_.mode) {
      case LoadMode::kStream:
        return SendStream(client, first, stride);
      case LoadMode::kUnary:
        return SendUnary(client, first, stride);
      case LoadMode::kBatch:
        return SendBatches(client, first, stride);
    }
  }

  void Summarise() {
    result_.accepted = accepted_.load();
    result_.durability = static_cast<v1::Durability>(durability_.load());
    result_.end = std::max(start_, SteadyTime(SteadyTime::duration(last_answer_.load())));
  }

 private:
  bool Stopped() const { return gone_.load(std::memory_order_relaxed) || options_.stop.stop_requested(); }

  SteadyTime DueTime(int64_t number) const {
    return start_ + std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(number) / options_.rate * 1e9));
  }

  struct Slot {
    SteadyTime due, sent;
    bool full;  // The gate is full: nothing follows before an answer.
  };
  // Waits until job `number` is due and there is room for `count`. In a closed loop a job is due when there is room; in
  // an open one waiting for room makes it late.
  Slot WaitForTurn(Gate& gate, int64_t number, int64_t count) {
    if (options_.rate <= 0) {
      const bool full = gate.Enter(count);
      const SteadyTime now = steady_clock::now();
      return {now, now, full};
    }
    const SteadyTime due = DueTime(number);
    if (due > steady_clock::now()) std::this_thread::sleep_until(due);
    const bool full = gate.Enter(count);
    return {due, steady_clock::now(), full};
  }

  void Accepted(const Acknowledged& job) {
    result_.latency.Record(job.acknowledged - job.due);
    durability_.store(job.answer.durability(), std::memory_order_relaxed);
    accepted_.fetch_add(1, std::memory_order_relaxed);
    last_answer_.store(job.acknowledged.time_since_epoch().count(), std::memory_order_relaxed);
    on_acknowledged_(job);
  }

  void Refused(const Status& status, int64_t jobs) {
    last_answer_.store(steady_clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    if (status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kNotFound) gone_ = true;
    if (options_.stop.stop_requested()) return;  // It is unanswered because we have stopped.
    std::lock_guard lock(mutex_);
    result_.refused[status.reason().empty() ? ToString(status.code()) : status.reason()] += jobs;
    if (result_.first_error.ok()) result_.first_error = status;
  }

  void SendStream(client::Client& client, int64_t first, int64_t stride) {
    // By sequence. Answers come in any order, so the sequences of unanswered items can lie further apart than the
    // window is wide.
    std::vector<Slot> slots(static_cast<size_t>((options_.jobs - first + stride - 1) / stride));
    Gate gate(options_.window);
    client::SubmitStream stream(
        client,
        [&](int64_t sequence, const Result<v1::SubmitJobResponse>& answer) {
          const Slot& at = slots[static_cast<size_t>(sequence)];
          if (answer.ok()) {
            Accepted({first + sequence * stride, at.due, at.sent, steady_clock::now(), *answer});
          } else {
            Refused(answer.status(), 1);
          }
          gate.Leave(1);
        },
        {.window = options_.window + 1,
         .stop = options_.stop});  // The gate limits what is unanswered, so the window of the stream never fills.

    int64_t sequence = 0;
    for (int64_t number = first; number < options_.jobs && !Stopped(); number += stride) {
      Slot& slot = slots[static_cast<size_t>(sequence++)];
      slot = WaitForTurn(gate, number, 1);
      const bool follows_at_once = !slot.full && (options_.rate <= 0 || DueTime(number + stride) <= slot.sent);
      const auto flush = follows_at_once ? client::Flush::kLater : client::Flush::kNow;
      if (const auto sent = stream.Submit(Request(number), flush); !sent.ok()) {
        gate.Leave(1);
        Refused(sent.status(), 1);
        break;
      }
    }
    (void)stream.Finish();  // Errors have been counted item by item.
  }

  v1::SubmitJobRequest Request(int64_t number) const {
    v1::SubmitJobRequest request = options_.request;
    if (!options_.request_id_prefix.empty())
      request.set_request_id(options_.request_id_prefix + std::to_string(number));
    return request;
  }

  void SendUnary(client::Client& client, int64_t first, int64_t stride) {
    Gate gate(options_.window);
    for (int64_t number = first; number < options_.jobs && !Stopped(); number += stride) {
      const Slot slot = WaitForTurn(gate, number, 1);
      client.SubmitAsync(Request(number),
                         [this, &gate, number, slot](const Result<v1::SubmitJobResponse>& answer) {
                           if (answer.ok()) {
                             Accepted({number, slot.due, slot.sent, steady_clock::now(), *answer});
                           } else {
                             Refused(answer.status(), 1);
                           }
                           gate.Leave(1);
                         },
                         {.deadline = options_.deadline, .stop = options_.stop});
    }
    gate.WaitEmpty();
  }

  void SendBatches(client::Client& client, int64_t first, int64_t stride) {
    const int64_t batch = options_.batch;
    v1::BatchSubmitJobsRequest full;
    full.set_on_full(options_.request.on_full());
    for (int64_t i = 0; i < batch; ++i) *full.add_requests() = options_.request;

    Gate gate(std::max<int64_t>(options_.window, batch));
    for (int64_t from = first * batch; from < options_.jobs && !Stopped(); from += stride * batch) {
      v1::BatchSubmitJobsRequest request = full;
      const int64_t count = std::min(batch, options_.jobs - from);
      if (count < batch)
        request.mutable_requests()->DeleteSubrange(static_cast<int>(count), static_cast<int>(batch - count));
      for (int i = 0; !options_.request_id_prefix.empty() && i < request.requests_size(); ++i)
        *request.mutable_requests(i) = Request(from + i);
      const Slot slot = WaitForTurn(gate, from, count);
      client.BatchSubmitAsync(std::move(request),
                              [this, &gate, from, count, slot](const Result<v1::BatchSubmitJobsResponse>& answer) {
                                const SteadyTime now = steady_clock::now();
                                if (!answer.ok()) Refused(answer.status(), count);
                                for (int i = 0; answer.ok() && i < answer->responses_size(); ++i) {
                                  Accepted({from + i, slot.due, slot.sent, now, answer->responses(i)});
                                }
                                gate.Leave(count);
                              },
                              {.deadline = options_.deadline, .stop = options_.stop});
    }
    gate.WaitEmpty();
  }

  const LoadOptions& options_;
  const std::function<void(const Acknowledged&)>& on_acknowledged_;
  LoadResult& result_;
  const SteadyTime start_;
  std::atomic<bool> gone_{false};
  std::atomic<int64_t> accepted_{0};
  std::atomic<int> durability_{0};
  std::atomic<SteadyTime::rep> last_answer_{0};
  std::mutex mutex_;
};

}  // namespace

std::unique_ptr<LoadResult> RunLoad(const std::vector<std::unique_ptr<client::Client>>& connections,
                                    const LoadOptions& options,
                                    const std::function<void(const Acknowledged&)>& on_acknowledged) {
  auto result = std::make_unique<LoadResult>();
  Load load(options, on_acknowledged, *result);
  std::vector<std::thread> senders;
  const auto stride = static_cast<int64_t>(connections.size());
  for (int64_t i = 0; i < stride; ++i) {
    senders.emplace_back(
        [&load, &connections, i, stride] { load.Send(*connections[static_cast<size_t>(i)], i, stride); });
  }
  for (std::thread& sender : senders) sender.join();
  load.Summarise();
  return result;
}

}  // namespace millrace::cli
