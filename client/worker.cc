#include "client/worker.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "client/client_state.h"
#include "client/errors.h"
#include "client/worker_state.h"

namespace millrace::client {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Whatever a daemon says, there is no overflow in what is computed with it.
milliseconds ToMilliseconds(const google::protobuf::Duration& duration) {
  constexpr int64_t kMost = int64_t{31} * 24 * 3600;
  return seconds(std::clamp<int64_t>(duration.seconds(), 0, kMost)) +
         milliseconds(std::max(duration.nanos(), 0) / 1'000'000);
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

Worker::State::State(Client& its_client, WorkerOptions chosen)
    : client(its_client), options(std::move(chosen)), key(RandomId()) {
  if (options.name.empty()) options.name = DefaultName();
}

// ---- One stream
Status Worker::State::RunStream(v1::WorkerService::Stub& on) {
  grpc::ClientContext context;
  client.state().Begin(context, milliseconds(-1));
  v1::WorkRequest hello;
  {
    std::lock_guard guard(mutex);
    received = beats = 0;
    welcome = idle = written_off = said_draining = false;
    last_word = last_beat = Now();
    outbox.Clear();
    CloseOutputs();
    to_save.clear();
    to_tell.clear();
    FillHello(hello.mutable_hello());
    // Ends that were not acknowledged are told again, and so are checkpoints: nobody says which of them arrived.
    for (auto& [ref, each] : held) {
      if (each->end) to_tell.push_back(ref);
      each->save_is_due = false;
      if (each->saved) SaveLater(*each);
    }
    current = &context;
  }
  std::unique_ptr<Stream> stream = on.Work(&context);
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
  written = composed;
  rest.notify_all();
  current = nullptr;
  healthy = false;
  return FromGrpc(status, client.address(), said_goodbye);
}

void Worker::State::FillHello(v1::WorkerHello* hello) {
  hello->set_worker(options.name);
  hello->set_instance_key(key);
  hello->set_sdk("c++");
  hello->set_build_id(options.build_id);
  hello->set_slots(options.slots);
  hello->set_protocol_min(1);
  hello->set_protocol_max(1);
  hello->add_capabilities("payload_ref");
  for (const auto& [name, value] : options.labels) (*hello->mutable_labels())[name] = value;
  for (const auto& [name, kind] : kinds) {
    v1::KindOffer& offer = *hello->add_kinds();
    offer.set_kind(name);
    offer.set_slots(kind.settings.slots);
    offer.set_at_once_max(kind.settings.at_once_max);
    if (const auto within = kind.settings.beat_within) {
      offer.mutable_beat_within()->set_seconds(within->count() / 1000);
      offer.mutable_beat_within()->set_nanos(static_cast<int32_t>(within->count() % 1000 * 1'000'000));
    }
  }
  for (const auto& [ref, each] : held) {
    v1::HeldAttempt& attempt = *hello->add_held();
    *attempt.mutable_ref() = each->its.ref();
    attempt.set_state(each->end ? v1::HeldAttempt::STATE_ENDED_UNACKED : v1::HeldAttempt::STATE_RUNNING);
  }
}

void Worker::State::BeWelcome(const v1::WorkerWelcome& its, std::vector<std::string>* words) {
  welcome = healthy = ever_welcome = true;
  interval = std::max(ToMilliseconds(its.heartbeat_interval()), milliseconds(10));
  lease = ToMilliseconds(its.lease());
  drained = false;  // Else it is said again. An operator's drain ends with the daemon.
  worker_id = its.worker_id();
  for (const v1::AttemptRef& ref : its.lost()) Drop(ref);
  daemon = DaemonSkills::Of(its);
  const auto any = [&](auto&& of) {
    return std::any_of(kinds.begin(), kinds.end(), [&](const auto& each) { return of(each.second.settings); });
  };
  if (!daemon.knows_costs) {
    if (any([](const KindSettings& kind) { return kind.slots > 1 || kind.at_once_max > 0; })) {
      words->push_back(daemon.NoCosts());
    }
    if (any([](const KindSettings& kind) { return kind.beat_within.has_value(); })) {
      words->push_back(daemon.NoBeatWithin());
    }
  }
  if (!daemon.keeps_checkpoints && !to_save.empty()) {
    words->push_back("checkpoints of " + std::to_string(to_save.size()) +
                     " jobs are lost: " + daemon.CheckpointError().message());
    for (const Key& each : std::exchange(to_save, {})) {
      if (auto found = held.find(each); found != held.end()) found->second->save_is_due = false;
    }
  }
}

// A daemon that does not know costs counts leases: each may be the largest, and all may be of one kind.
int64_t Worker::State::Room() const {
  int64_t free = options.slots - taken;
  if (daemon.knows_costs) return free;
  int largest = 1;
  for (const auto& [name, kind] : kinds) largest = std::max(largest, kind.settings.slots);
  free /= largest;
  for (const auto& [name, kind] : kinds) {
    if (kind.settings.at_once_max > 0) free = std::min<int64_t>(free, kind.settings.at_once_max - kind.runs);
  }
  return free;
}

void Worker::State::Hear(v1::WorkResponse* response, grpc::ClientContext& context) {
  std::vector<std::string> warnings;
  std::unique_lock guard(mutex);
  last_word = last_contact = Now();
  if (response->has_welcome()) BeWelcome(response->welcome(), &warnings);
  for (const v1::AttemptStop& stop : response->stops()) {
    if (auto found = held.find(KeyOf(stop.ref())); found != held.end()) to_stop.push_back(found->second->source);
  }
  for (const v1::AttemptStop& stop : response->revoked()) Drop(stop.ref());
  for (const v1::AttemptRef& ref : response->acked()) held.erase(KeyOf(ref));
  for (const v1::AttemptError& error : response->errors()) {
    if (error.reason() == "LEASE_LOST") Drop(error.ref());
  }
  for (v1::Lease& each : *response->mutable_leases()) {
    if (said_goodbye) break;  // The daemon gives it to others.
    received += daemon.knows_costs ? SlotsOf(each.kind()) : 1;
    if (held.contains(KeyOf(each.ref()))) continue;  // A daemon that is not broken gives each lease once.
    Take(each.kind(), 1);
    *outbox.add_accepted() = each.ref();
    auto attempt = std::make_shared<Held>(*this, std::move(each));
    held[KeyOf(attempt->its.ref())] = attempt;
    queue.push_back(std::move(attempt));
    work.notify_one();
  }
  // It may drop attempts later, because nobody speaks with it: it is no more patient for that.
  idle = welcome && held.empty();
  const v1::WorkerDrain::Why why = response->drain().why();
  if (why == v1::WorkerDrain::WHY_OPERATOR || why == v1::WorkerDrain::WHY_RESUMED) {
    drained = why == v1::WorkerDrain::WHY_OPERATOR;
  }
  // It goes on at once with another stream.
  if (why == v1::WorkerDrain::WHY_AGE) context.TryCancel();
  write.notify_one();
  if (draining) rest.notify_all();
  StopThem(guard);
  guard.unlock();
  for (const std::string& each : warnings) {
    if (options.warn) {
      options.warn(each);
    } else {
      fprintf(stderr, "millrace: %s\n", each.c_str());
    }
  }
}

void Worker::State::Write(Stream& stream, v1::WorkRequest request) {
  int64_t granted = 0;
  while (stream.Write(request)) {
    if (request.goodbye()) {
      stream.WritesDone();
      return;
    }
    request.Clear();
    std::unique_lock guard(mutex);
    written = composed;
    if (results_wait > 0) rest.notify_all();
    const auto anything = [&] {
      return written_off ||
             (welcome && (Granted() > granted || outbox.accepted_size() + outbox.outputs_size() > 0 ||
                          !to_save.empty() || !to_tell.empty() || (draining && !said_draining) || GoodbyeIsDue()));
    };
    do {
      if (!anything()) write.wait_until(guard, last_beat + Period(), anything);
      if (written_off) return;
    } while (!Compose(&request, &granted));
    ++composed;
  }
}

bool Worker::State::Compose(v1::WorkRequest* request, int64_t* granted) {
  if (welcome) {
    std::swap(*request, outbox);
    CloseOutputs();
    size_t bytes = 0;
    for (; !to_save.empty() && bytes < kRequestBytes && request->outputs_size() < kWordsMax; to_save.pop_front()) {
      auto found = held.find(to_save.front());
      if (found == held.end() || !found->second->saved) continue;
      found->second->save_is_due = false;
      v1::AttemptOutput& output = *request->add_outputs();
      *output.mutable_ref() = found->second->its.ref();
      output.set_checkpoint(*found->second->saved);
      bytes += output.ByteSizeLong();
    }
    // With its end an attempt is not the worker's any more, so what it saved goes before.
    for (; to_save.empty() && !to_tell.empty() && bytes < kRequestBytes && request->ended_size() < kWordsMax;
         to_tell.pop_front()) {
      auto found = held.find(to_tell.front());
      if (found == held.end() || !found->second->end) continue;
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
  if (Now() - last_beat >= Period()) {
    last_beat = Now();
    request->mutable_heartbeat()->set_sequence(++beats);
    if (welcome && beats % (idle ? 2 : 6) == 0) {  // Once in a lease.
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
Status Worker::State::Run(std::stop_token stop) {
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

Status Worker::State::Connect() {
  std::minstd_rand random(std::random_device{}());
  milliseconds pause = kPauseLeast;
  std::shared_ptr<v1::WorkerService::Stub> on;
  for (int failures = 0;; ++failures) {
    // A channel that does not recover is not asked for ever.
    if (failures % 3 == 0) {
      on = NewStub(client.state());
      std::lock_guard guard(mutex);
      stub = on;
    }
    const Status status = RunStream(*on);
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
    pause = std::min(2 * pause, kPauseMost);
  }
}

// Sees to what takes too long: a connection on which nothing comes, handlers after a stop, and attempts that others
// run by now, since no daemon was heard of for so long.
void Worker::State::Watch() {
  std::unique_lock guard(mutex);
  while (!over) {
    rest.wait_for(guard, milliseconds(100));
    if (current != nullptr && Now() - last_word > Period() + 2 * interval) current->TryCancel();
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

Worker::Worker(Client& client, WorkerOptions options) : state_(std::make_unique<State>(client, std::move(options))) {}

Worker::~Worker() = default;

void Worker::Handle(std::string kind, Handler handler, KindSettings settings) {
  state_->kinds.insert_or_assign(std::move(kind), State::Kind{std::move(handler), settings});
}

Status Worker::Run(std::stop_token stop) { return state_->Run(std::move(stop)); }

bool Worker::healthy() const {
  std::lock_guard guard(state_->mutex);
  return state_->healthy && State::Now() - state_->last_word < state_->Period() + state_->interval;
}

std::string Worker::id() const {
  std::lock_guard guard(state_->mutex);
  return state_->worker_id;
}

bool Worker::drained() const {
  std::lock_guard guard(state_->mutex);
  return state_->drained;
}

}  // namespace millrace::client
