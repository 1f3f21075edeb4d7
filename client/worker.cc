#include "client/worker.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "client/client_state.h"
#include "client/errors.h"
#include "millrace/v1/worker_service.grpc.pb.h"

namespace millrace::client {

namespace {

using Time = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

Time Now() { return std::chrono::steady_clock::now(); }

milliseconds ToMilliseconds(const google::protobuf::Duration& duration) {
  return seconds(duration.seconds()) + milliseconds(duration.nanos() / 1'000'000);
}

std::string DefaultName() {
  char host[65] = "";
  gethostname(host, sizeof(host) - 1);
  return std::string(host) + "/" + std::to_string(getpid());
}

// A connection of the worker's own, which is tried again as soon as the worker tries: its leases wait.
std::unique_ptr<v1::WorkerService::Stub> NewStub(const Client::State& client) {
  grpc::ChannelArguments arguments = ArgumentsOf(client.options);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return v1::WorkerService::NewStub(
      grpc::CreateCustomChannel(client.address, grpc::InsecureChannelCredentials(), arguments));
}

}  // namespace

struct Worker::State {
  // An attempt that the worker holds, until its end was acknowledged or it is not the worker's any more.
  struct Held final : Attempt {
    Held(State& owner, v1::Lease&& given) : state(owner), its(std::move(given)) {}
    const v1::Lease& lease() const override { return its; }
    std::stop_token stop() const override { return source.get_token(); }
    void SetProgress(double fraction, std::string message) override {
      std::lock_guard guard(state.mutex);
      if (dropped) return;
      v1::Progress& progress = *state.OutputOf(*this).mutable_progress();
      progress.set_fraction(fraction);
      progress.set_message(ToText(std::move(message)));
    }
    void Log(std::string_view bytes) override {
      std::unique_lock guard(state.mutex);
      // A handler that says more than the connection takes waits for it.
      state.rest.wait(guard, [&] { return state.log_bytes < kLogBytesMax || source.stop_requested(); });
      if (dropped || state.log_bytes >= kLogBytesMax) return;
      if (bytes.size() > kLogBytesMax) bytes = bytes.substr(bytes.size() - kLogBytesMax);
      state.OutputOf(*this).mutable_log()->append(bytes);
      state.log_bytes += bytes.size();
    }

    State& state;
    const v1::Lease its;
    std::stop_source source;
    std::optional<v1::AttemptEnd> end;  // Told, or to be told.
    int place = -1;                     // Among the outputs of the outbox.
    bool dropped = false;               // It is not the worker's any more.
  };
  using Key = std::pair<std::string, uint64_t>;
  static Key KeyOf(const v1::AttemptRef& ref) { return {ref.job_id(), ref.token()}; }
  static constexpr size_t kLogBytesMax = size_t{256} << 10;
  static constexpr size_t kRequestBytes = size_t{1} << 20;  // Results beyond that go into the next message.

  State(Client& its_client, WorkerOptions chosen) : client(its_client), options(std::move(chosen)), key(RandomId()) {
    if (options.name.empty()) options.name = DefaultName();
  }

  // ---- Under the mutex
  v1::AttemptOutput& OutputOf(Held& attempt) {
    if (attempt.place < 0) {
      attempt.place = outbox.outputs_size();
      *outbox.add_outputs()->mutable_ref() = attempt.its.ref();
      shown.push_back(&attempt);
      write.notify_one();
    }
    return *outbox.mutable_outputs(attempt.place);
  }

  // Nothing is added to its output any more.
  void CloseOutput(Held& attempt) {
    if (attempt.place < 0) return;
    std::erase(shown, &attempt);
    attempt.place = -1;
  }

  void CloseOutputs() {
    for (Held* each : shown) each->place = -1;
    shown.clear();
    log_bytes = 0;
    rest.notify_all();  // Whoever waits for room in the log.
  }

  std::map<Key, std::shared_ptr<Held>>::iterator Drop(std::map<Key, std::shared_ptr<Held>>::iterator at) {
    Held& attempt = *at->second;
    attempt.dropped = true;
    CloseOutput(attempt);
    to_stop.push_back(attempt.source);
    rest.notify_all();
    write.notify_one();
    return held.erase(at);
  }

  // What a handler does when it is told to stop is its own, and may come back here: so without the mutex.
  void StopThem(std::unique_lock<std::mutex>& guard) {
    std::vector<std::stop_source> sources;
    sources.swap(to_stop);
    if (sources.empty()) return;
    guard.unlock();
    for (std::stop_source& each : sources) each.request_stop();
    guard.lock();
    rest.notify_all();
  }

  void Drop(const v1::AttemptRef& ref) {
    if (auto found = held.find(KeyOf(ref)); found != held.end()) Drop(found);
  }

  // ---- The threads of handlers
  void Work() {
    std::unique_lock guard(mutex);
    for (;;) {
      work.wait(guard, [&] { return !queue.empty() || over; });
      if (queue.empty()) return;
      std::shared_ptr<Held> next = std::move(queue.front());
      queue.pop_front();
      ++busy;
      if (!next->dropped) {
        guard.unlock();
        v1::AttemptEnd end = EndOf(*next);
        guard.lock();
        CloseOutput(*next);
        if (!next->dropped) {
          next->end = std::move(end);
          to_tell.push_back(KeyOf(next->its.ref()));
        }
      }
      --busy;
      write.notify_one();
      rest.notify_all();
    }
  }

  v1::AttemptEnd EndOf(Held& attempt) {
    Outcome outcome;
    try {
      outcome = handlers.at(attempt.its.kind())(attempt);
    } catch (const std::exception& error) {
      outcome = Outcome::Failure(error.what());
    } catch (...) {
      outcome = Outcome::Failure("the handler threw something that is no std::exception");
    }
    return ToEnd(std::move(outcome), attempt.its.ref());
  }

  // ---- One stream
  using Stream = grpc::ClientReaderWriter<v1::WorkRequest, v1::WorkResponse>;

  Status RunStream(v1::WorkerService::Stub& stub) {
    grpc::ClientContext context;
    client.state().Begin(context, milliseconds(-1));
    v1::WorkRequest hello;
    {
      std::lock_guard guard(mutex);
      received = beats = 0;
      welcome = written_off = said_draining = false;
      last_word = last_beat = Now();
      outbox.Clear();
      CloseOutputs();
      to_tell.clear();
      FillHello(hello.mutable_hello());
      // Ends that were not acknowledged are told again.
      for (auto& [ref, each] : held) {
        if (each->end) to_tell.push_back(ref);
      }
      current = &context;
    }
    std::unique_ptr<Stream> stream = stub.Work(&context);
    std::thread writer([&] { Write(*stream, std::move(hello)); });
    v1::WorkResponse response;
    while (stream->Read(&response)) Hear(&response, context);
    {
      std::lock_guard guard(mutex);
      written_off = true;
      write.notify_one();
    }
    writer.join();
    const grpc::Status status = stream->Finish();
    std::lock_guard guard(mutex);
    current = nullptr;
    healthy = false;
    return FromGrpc(status, client.address(), said_goodbye);
  }

  void FillHello(v1::WorkerHello* hello) {
    hello->set_worker(options.name);
    hello->set_instance_key(key);
    hello->set_sdk("c++");
    hello->set_slots(options.slots);
    for (const auto& [kind, handler] : handlers) hello->add_kinds()->set_kind(kind);
    for (const auto& [ref, each] : held) {
      v1::HeldAttempt& attempt = *hello->add_held();
      *attempt.mutable_ref() = each->its.ref();
      attempt.set_state(each->end ? v1::HeldAttempt::STATE_ENDED_UNACKED : v1::HeldAttempt::STATE_RUNNING);
    }
  }

  void Hear(v1::WorkResponse* response, grpc::ClientContext& context) {
    std::unique_lock guard(mutex);
    last_word = last_contact = Now();
    if (response->has_welcome()) {
      welcome = healthy = ever_welcome = true;
      interval = std::max(ToMilliseconds(response->welcome().heartbeat_interval()), milliseconds(10));
      lease = ToMilliseconds(response->welcome().lease());
      for (const v1::AttemptRef& ref : response->welcome().lost()) Drop(ref);
    }
    for (const v1::AttemptStop& stop : response->stops()) {
      if (auto found = held.find(KeyOf(stop.ref())); found != held.end()) to_stop.push_back(found->second->source);
    }
    for (const v1::AttemptStop& stop : response->revoked()) Drop(stop.ref());
    for (const v1::AttemptRef& ref : response->acked()) held.erase(KeyOf(ref));
    for (const v1::AttemptError& error : response->errors()) Drop(error.ref());
    for (v1::Lease& each : *response->mutable_leases()) {
      if (said_goodbye) break;  // The daemon gives it to others.
      ++received;
      *outbox.add_accepted() = each.ref();
      auto attempt = std::make_shared<Held>(*this, std::move(each));
      held[KeyOf(attempt->its.ref())] = attempt;
      queue.push_back(std::move(attempt));
      work.notify_one();
    }
    // It goes on at once with another stream.
    if (response->drain().why() == v1::WorkerDrain::WHY_AGE) context.TryCancel();
    write.notify_one();
    if (draining) rest.notify_all();
    StopThem(guard);
  }

  void Write(Stream& stream, v1::WorkRequest request) {
    int64_t granted = 0;
    while (stream.Write(request)) {
      if (request.goodbye()) {
        stream.WritesDone();
        return;
      }
      request.Clear();
      std::unique_lock guard(mutex);
      const auto anything = [&] {
        return written_off || (welcome && (Granted() > granted || outbox.accepted_size() + outbox.outputs_size() > 0 ||
                                           !to_tell.empty() || (draining && !said_draining) || GoodbyeIsDue()));
      };
      do {
        if (!anything()) write.wait_until(guard, last_beat + interval, anything);
        if (written_off) return;
      } while (!Compose(&request, &granted));
    }
  }

  int64_t Granted() const {
    return draining ? 0 : received + options.slots - busy - static_cast<int64_t>(queue.size());
  }
  bool GoodbyeIsDue() const { return draining && !said_goodbye && (held.empty() || (give_up && to_tell.empty())); }

  // Under the mutex. False: there is nothing to say.
  bool Compose(v1::WorkRequest* request, int64_t* granted) {
    if (welcome) {
      std::swap(*request, outbox);
      CloseOutputs();
      for (size_t bytes = 0; !to_tell.empty() && bytes < kRequestBytes; to_tell.pop_front()) {
        auto found = held.find(to_tell.front());
        if (found == held.end()) continue;
        *request->add_ended() = *found->second->end;
        bytes += found->second->end->ByteSizeLong();
      }
      if (const int64_t now = Granted(); now > *granted) {
        *granted = now;
        request->mutable_credit()->set_slots_granted_total(now);
      }
      if (draining && !std::exchange(said_draining, true)) request->set_draining(true);
      if (GoodbyeIsDue()) {
        said_goodbye = true;
        request->set_goodbye(true);
      }
    }
    if (Now() - last_beat >= interval) {
      last_beat = Now();
      request->mutable_heartbeat()->set_sequence(++beats);
      if (welcome && beats % 6 == 0) {
        v1::HeldList& list = *request->mutable_heartbeat()->mutable_held();
        // Ends that are on their way are known; those that are not told yet are held still.
        for (const auto& [ref, each] : held) {
          const bool untold = std::find(to_tell.begin(), to_tell.end(), ref) != to_tell.end();
          if (!each->end || untold) *list.add_refs() = each->its.ref();
        }
      }
    }
    return request->ByteSizeLong() > 0;
  }

  // ---- All of it
  Status Run(std::stop_token stop) {
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(options.slots) + 1);
    for (int i = 0; i < options.slots; ++i) threads.emplace_back([this] { Work(); });
    threads.emplace_back([this] { Watch(); });
    std::stop_callback on_stop(stop, [this] {
      std::lock_guard guard(mutex);
      draining = true;
      drain_until = Now() + options.drain_timeout;
      write.notify_one();
      rest.notify_all();
    });
    Status status = Connect();
    {
      std::unique_lock guard(mutex);
      over = true;
      for (auto at = held.begin(); at != held.end();) at = Drop(at);
      work.notify_all();
      rest.notify_all();
      StopThem(guard);
    }
    for (std::thread& each : threads) each.join();
    return status;
  }

  Status Connect() {
    std::minstd_rand random(std::random_device{}());
    milliseconds pause = kPauseLeast;
    std::unique_ptr<v1::WorkerService::Stub> stub;
    for (int failures = 0;; ++failures) {
      // A channel that does not recover is not asked for ever.
      if (failures % 3 == 0) stub = NewStub(client.state());
      const Status status = RunStream(*stub);
      std::unique_lock guard(mutex);
      if (said_goodbye) return OkStatus();
      const bool again = status.ok() || status.code() == StatusCode::kUnavailable ||
                         status.code() == StatusCode::kCancelled || status.code() == StatusCode::kDeadlineExceeded ||
                         status.code() == StatusCode::kResourceExhausted;
      if (!ever_welcome && !again) return status;
      if (welcome) {
        pause = kPauseLeast;
        failures = 0;
      }
      // Where there is nobody to give it back to, the daemon finds out by itself.
      const auto done = [&] { return draining && (held.empty() || give_up); };
      const milliseconds wait(std::uniform_int_distribution<int64_t>(pause.count() / 4, pause.count())(random));
      if (rest.wait_for(guard, wait, done)) return OkStatus();
      pause = std::min(2 * pause, milliseconds(kPauseMost));
    }
  }

  // Sees to what takes too long: a connection on which nothing comes, handlers after a stop, and attempts that others
  // run by now, since no daemon was heard of for so long.
  void Watch() {
    std::unique_lock guard(mutex);
    while (!over) {
      rest.wait_for(guard, milliseconds(100));
      if (current != nullptr && Now() - last_word > 3 * interval) current->TryCancel();
      if (draining && !give_up && Now() >= drain_until) {
        give_up = true;
        for (auto& [ref, each] : held) to_stop.push_back(each->source);
        write.notify_one();
        rest.notify_all();
      }
      StopThem(guard);
      if (lease == milliseconds(0) || Now() - last_contact < lease - std::min<milliseconds>(seconds(5), lease / 2)) {
        continue;
      }
      // An end is told whenever a daemon is there; if it is late, it changes nothing.
      for (auto at = held.begin(); at != held.end();) at = at->second->end ? std::next(at) : Drop(at);
      StopThem(guard);
    }
  }

  static constexpr milliseconds kPauseLeast{200}, kPauseMost{30'000};

  Client& client;
  WorkerOptions options;
  const std::string key;
  std::map<std::string, Handler> handlers;

  std::mutex mutex;
  std::condition_variable work, write, rest;  // For handlers' threads, the writer, and all others.
  std::map<Key, std::shared_ptr<Held>> held;
  std::deque<std::shared_ptr<Held>> queue;  // Held, and not begun.
  int busy = 0;
  v1::WorkRequest outbox;    // Accepted, and outputs.
  std::vector<Held*> shown;  // Those with an output in the outbox.
  size_t log_bytes = 0;
  std::deque<Key> to_tell;                // Ends.
  std::vector<std::stop_source> to_stop;  // Without the mutex.
  // Of this stream.
  int64_t received = 0, beats = 0;
  bool welcome = false, written_off = false;
  grpc::ClientContext* current = nullptr;
  Time last_word{}, last_beat{};
  milliseconds interval{5000}, lease{0};
  // Of the worker.
  Time last_contact{};
  bool healthy = false, ever_welcome = false;
  bool draining = false, said_draining = false, give_up = false, said_goodbye = false, over = false;
  Time drain_until{};
};

Worker::Worker(Client& client, WorkerOptions options) : state_(std::make_unique<State>(client, std::move(options))) {}

Worker::~Worker() = default;

void Worker::Handle(std::string kind, Handler handler) {
  state_->handlers.insert_or_assign(std::move(kind), std::move(handler));
}

Status Worker::Run(std::stop_token stop) { return state_->Run(std::move(stop)); }

bool Worker::healthy() const {
  std::lock_guard guard(state_->mutex);
  return state_->healthy && Now() - state_->last_word < 2 * state_->interval;
}

}  // namespace millrace::client
