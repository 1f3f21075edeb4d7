// The state of a Worker, which its threads share. For the library's own files: worker.cc has the streams and a run from
// its beginning to its end, worker_attempt.cc what is done with one attempt, worker_result.cc its end where the
// result is large.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "client/daemon_skills.h"
#include "client/worker.h"
#include "millrace/v1/worker_service.grpc.pb.h"

namespace millrace::client {

struct Worker::State {
  using Time = std::chrono::steady_clock::time_point;
  using milliseconds = std::chrono::milliseconds;
  static Time Now() { return std::chrono::steady_clock::now(); }

  // An attempt that the worker holds, until its end was acknowledged or it is not the worker's any more.
  struct Held final : Attempt {
    Held(State& owner, v1::Lease&& given) : state(owner), its(std::move(given)) {}
    const v1::Lease& lease() const override { return its; }
    std::stop_token stop() const override { return source.get_token(); }
    void SetProgress(double fraction, std::string message) override;
    void Log(std::string_view bytes) override;
    Status SaveCheckpoint(std::string bytes) override;

    State& state;
    v1::Lease its;  // Its payload is added by FetchPayload; all else stays as it came.
    std::stop_source source;
    std::optional<v1::AttemptEnd> end;  // Told, or to be told.
    std::optional<std::string> saved;   // The newest checkpoint of this attempt.
    bool save_is_due = false;           // It is in `to_save`.
    int place = -1;                     // Among the outputs of the outbox.
    bool dropped = false;               // It is not the worker's any more.
  };
  struct Kind {
    Handler handler;
    KindSettings settings;
    int runs = 0;  // How many that `taken` counts run.
  };
  using Key = std::pair<std::string, uint64_t>;
  using HeldMap = std::map<Key, std::shared_ptr<Held>>;
  static Key KeyOf(const v1::AttemptRef& ref) { return {ref.job_id(), ref.token()}; }

  static constexpr size_t kCheckpointBytesMax = size_t{64} << 10;
  static constexpr size_t kLogBytesMax = size_t{256} << 10;
  static constexpr size_t kRequestBytes = size_t{1} << 20;  // Results and checkpoints beyond go into the next message.
  static constexpr int kWordsMax = 10'000;                  // The daemon takes so many of one kind in a message.
  static constexpr milliseconds kPauseLeast{200}, kPauseMost{30'000};

  State(Client& its_client, WorkerOptions chosen);

  // ---- One attempt. Under the mutex.
  v1::AttemptOutput& OutputOf(Held& attempt);
  void CloseOutput(Held& attempt);  // Nothing is added to its output any more.
  void CloseOutputs();
  void SaveLater(Held& attempt);
  HeldMap::iterator Drop(HeldMap::iterator at);
  void Drop(const v1::AttemptRef& ref);
  void StopThem(std::unique_lock<std::mutex>& guard);
  int64_t SlotsOf(const std::string& kind) const;
  void Take(const std::string& kind, int times);  // -1: its handler has returned.

  // ---- The threads of handlers
  void Work();
  // nullopt: the daemon has it.
  std::optional<v1::AttemptEnd> EndOf(Held& attempt);
  std::optional<v1::AttemptEnd> WriteResult(Held& attempt, const std::string& result);
  Status SendResult(Held& attempt, const std::string& result);
  Status FetchPayload(Held& attempt);
  Result<std::string> ReadPayload(Held& attempt);

  // ---- One stream
  using Stream = grpc::ClientReaderWriter<v1::WorkRequest, v1::WorkResponse>;
  Status RunStream(v1::WorkerService::Stub& on);
  void FillHello(v1::WorkerHello* hello);
  void Hear(v1::WorkResponse* response, grpc::ClientContext& context);
  // Under the mutex. What is to be warned of is added to `words`.
  void BeWelcome(const v1::WorkerWelcome& its, std::vector<std::string>* words);
  void Write(Stream& stream, v1::WorkRequest request);
  // Under the mutex. False: there is nothing to say.
  bool Compose(v1::WorkRequest* request, int64_t* granted);
  int64_t Granted() const { return draining ? 0 : received + Room(); }
  // From one heartbeat to the next. Whoever holds nothing has no lease to keep alive: a third of them do.
  milliseconds Period() const { return idle ? 3 * interval : interval; }
  int64_t Room() const;  // What it can be given now, counted as the daemon does: in slots, or in leases.
  bool GoodbyeIsDue() const {
    return draining && !said_goodbye && (held.empty() || (give_up && to_save.empty() && to_tell.empty()));
  }

  // ---- All of it
  Status Run(std::stop_token stop);
  Status Connect();
  void Watch();

  Client& client;
  WorkerOptions options;
  const std::string key;
  std::map<std::string, Kind> kinds;

  std::mutex mutex;
  std::condition_variable work, write, rest;  // For handlers' threads, the writer, and all others.
  HeldMap held;
  std::deque<std::shared_ptr<Held>> queue;  // Held, and not begun.
  int64_t taken = 0;                        // Slots of those in the queue, and of those whose handler runs.
  v1::WorkRequest outbox;                   // Accepted, and outputs.
  std::vector<Held*> shown;                 // Those with an output in the outbox.
  size_t log_bytes = 0;
  // Requests, over all streams. A stream that has ended has written all of its own, as far as it ever will.
  int64_t composed = 0, written = 0;
  int results_wait = 0;                   // Handlers' threads that wait for `written`.
  std::deque<Key> to_save;                // Checkpoints.
  std::deque<Key> to_tell;                // Ends.
  std::vector<std::stop_source> to_stop;  // Without the mutex.
  // ---- About this stream
  int64_t received = 0, beats = 0;  // `received`: the leases that came, counted as by Room.
  bool welcome = false, written_off = false;
  bool idle = false;  // It held nothing when the daemon was heard of last. Nothing comes but with the daemon's words.
  std::string worker_id;
  DaemonSkills daemon;
  grpc::ClientContext* current = nullptr;
  Time last_word{}, last_beat{};
  milliseconds interval{5000}, lease{0};
  // ---- About the worker
  std::shared_ptr<v1::WorkerService::Stub> stub;
  Time last_contact{};
  bool healthy = false, ever_welcome = false, drained = false;
  bool draining = false, said_draining = false, give_up = false, said_goodbye = false, over = false;
  Time drain_until{};
};

}  // namespace millrace::client
