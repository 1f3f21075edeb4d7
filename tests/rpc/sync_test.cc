// Workers that call Sync. What becomes of leases is tests/dispatch/leases_test.cc's subject.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "rpc/sync_call.h"
#include "tests/rpc/raw_call.h"
#include "tests/rpc/speaker.h"

namespace millrace::rpc {
namespace {

using test::Accepted;
using test::Brief;
using test::Daemon;
using test::DaemonOptions;
using test::Decode;
using test::Ended;
using test::Eventually;
using test::Goodbye;
using test::HasAcked;
using test::HasErrors;
using test::HasStops;
using test::Speaker;
using test::SyncSpeaker;
using test::WithRemotePool;

// A call that waits, on a thread of its own.
class WaitingSync {
 public:
  WaitingSync(Daemon& d, const std::string& key) : speaker_(d, key) {
    thread_ = std::thread([this] { status_.set_value(speaker_.Poll(&told, 60)); });
  }
  ~WaitingSync() {
    if (thread_.joinable()) thread_.join();
  }
  bool Answered() { return answer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  std::string End() {
    const std::string end = Brief(answer_.get());
    thread_.join();
    return end;
  }

  v1::WorkResponse told;  // Once it has ended.

 private:
  SyncSpeaker speaker_;
  std::promise<grpc::Status> status_;
  std::future<grpc::Status> answer_ = status_.get_future();
  std::thread thread_;
};

std::string CancelOf(Daemon& d, const std::string& id) {
  v1::CancelJobRequest request;
  request.set_id(id);
  request.set_reason("not needed");
  v1::Job job;
  grpc::ClientContext context;
  return Brief(d.jobs->CancelJob(&context, request, &job));
}

// A door that is open, and counts the calls of Sync that have come in.
Door CountsSyncs(std::atomic<int>* came) {
  return [came](const MethodInfo& method, const grpc::CallbackServerContext&) {
    if (method.method == Method::kSync) ++*came;
    return OkStatus();
  };
}

// All that a worker does in its life; what came of it, line by line.
template <typename Worker>
std::vector<std::string> LiveALife(Daemon& d, Worker& worker) {
  std::vector<std::string> seen;
  worker.Say(Speaker::Hello());
  const v1::WorkerWelcome welcome = worker.Welcome().welcome();
  seen.push_back("lease of " + std::to_string(welcome.lease().seconds()) + " s, protocol " +
                 std::to_string(welcome.protocol()));

  std::string id = d.Submit("resize", "cat");
  const v1::Lease first = worker.Lease();
  seen.push_back("given " + first.kind() + " of " + first.payload() + ", attempt " +
                 std::to_string(first.ref().attempt()));
  v1::WorkRequest words = Accepted(first.ref());
  v1::AttemptOutput& output = *words.add_outputs();
  *output.mutable_ref() = first.ref();
  output.mutable_progress()->set_fraction(0.5);
  output.set_log("a line\n");
  output.set_checkpoint("half");
  worker.Say(words);
  worker.Say(Ended(first.ref(), "small cat"));
  seen.push_back("acknowledged: " + std::to_string(worker.Next(HasAcked).acked(0).token() == first.ref().token()));
  worker.Say(Ended(first.ref(), "again"));
  seen.push_back("once more: " + std::to_string(worker.Next(HasAcked).acked(0).token() == first.ref().token()));
  v1::Job job = d.Get(id);
  seen.push_back(job.result() + ", " + job.log_tail() + std::to_string(job.progress().fraction()) + " by " +
                 job.attempt_history(0).worker());

  v1::AttemptRef wrong = first.ref();
  wrong.set_token(wrong.token() + 1);
  worker.Say(Ended(wrong, "wrong"));
  seen.push_back("refused: " + worker.Next(HasErrors).errors(0).reason());
  v1::WorkRequest beat;
  beat.mutable_heartbeat()->set_sequence(7);
  worker.Say(beat);
  const auto beats = [](const v1::WorkResponse& told) { return told.has_heartbeat_ack(); };
  seen.push_back("heartbeat " + std::to_string(worker.Next(beats).heartbeat_ack().sequence()));

  v1::WorkRequest credit;
  credit.mutable_credit()->set_slots_granted_total(3);
  worker.Say(credit);
  id = d.Submit("resize", "dog");
  const v1::Lease second = worker.Lease();
  worker.Say(Accepted(second.ref()));
  seen.push_back("cancel: " + CancelOf(d, id));
  seen.push_back("told of it: " + worker.Next(HasStops).stops(0).reason());
  worker.Say(Ended(second.ref(), ""));
  seen.push_back(v1::JobState_Name(d.Wait(id).state()));

  id = d.Submit("resize", "cow");
  seen.push_back("given " + worker.Lease().payload());
  worker.Say(Goodbye());
  Eventually([&] { return d.Get(id).state() == v1::JOB_STATE_QUEUED; });
  seen.push_back("given back, attempts " + std::to_string(d.Get(id).attempts()));
  return seen;
}

TEST(Sync, TheSameWordsComeToTheSameAsOnAStream) {
  std::vector<std::string> by_stream, by_calls;
  {
    Daemon d(WithRemotePool());
    Speaker worker(d);
    by_stream = LiveALife(d, worker);
    EXPECT_EQ(worker.End(), "OK");
  }
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  by_calls = LiveALife(d, worker);
  EXPECT_EQ(by_calls, by_stream);
  EXPECT_EQ(Brief(worker.Poll()), "NOT_FOUND UNKNOWN_SESSION instance_key") << "it said goodbye";
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
}

TEST(Sync, WhatAnAttemptSavedIsThereForTheNextOne) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a", 4));
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("resize");
  request.mutable_spec()->mutable_retry()->mutable_initial_backoff()->set_nanos(1'000'000);
  v1::SubmitJobResponse submitted;
  grpc::ClientContext context;
  Daemon::Must(d.jobs->SubmitJob(&context, request, &submitted));

  const v1::Lease first = worker.Lease();
  EXPECT_EQ(first.checkpoint(), "");
  v1::WorkRequest words = Accepted(first.ref());
  *words.add_outputs()->mutable_ref() = first.ref();
  words.mutable_outputs(0)->set_checkpoint("half");
  worker.Say(words);
  EXPECT_EQ(d.Get(submitted.id()).checkpoint_bytes(), 4);
  words.clear_accepted();
  words.mutable_outputs(0)->set_checkpoint(std::string(kCheckpointBytesMax + 1, 'x'));
  worker.Say(words);
  EXPECT_EQ(worker.Next(HasErrors).errors(0).reason(), "CHECKPOINT_TOO_LARGE");
  EXPECT_EQ(d.Get(submitted.id()).checkpoint_bytes(), 4) << "what was saved before stays";

  v1::WorkRequest failed;
  *failed.add_ended()->mutable_ref() = first.ref();
  failed.mutable_ended(0)->mutable_failure()->set_error("no luck");
  worker.Say(failed);
  const v1::Lease second = worker.Lease();
  EXPECT_EQ(second.ref().attempt(), 2);
  EXPECT_EQ(second.checkpoint(), "half");
  worker.Say(Ended(second.ref(), "done"));
  EXPECT_EQ(d.Wait(submitted.id()).result(), "done");
}

TEST(Sync, ACallWaitsUntilThereIsAJob) {
  Daemon d(WithRemotePool());
  SyncSpeaker(d).Say(Speaker::Hello("a"));
  WaitingSync waiting(d, "a");
  const std::string id = d.Submit("resize");
  // Also where it came later than the job.
  EXPECT_EQ(waiting.End(), "OK");
  ASSERT_EQ(waiting.told.leases_size(), 1);
  EXPECT_EQ(waiting.told.leases(0).ref().job_id(), id);
}

TEST(Sync, ANewerCallAnswersTheOneThatWaits) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  WaitingSync waiting(d, "a");
  // It may not have come when the first of these does.
  Eventually([&] {
    EXPECT_EQ(Brief(worker.Poll()), "OK");
    return waiting.Answered();
  });
  EXPECT_EQ(waiting.End(), "OK");
  EXPECT_EQ(waiting.told.ByteSizeLong(), 0u);
}

TEST(Sync, ACallWithoutAWaitIsAnsweredThoughThereIsNothingToTell) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  v1::WorkResponse told;
  EXPECT_EQ(Brief(worker.Poll(&told)), "OK");
  EXPECT_EQ(told.ByteSizeLong(), 0u);
}

TEST(Sync, AClientThatGoesAwayWhileItWaitsTakesNoNewsAlong) {
  std::atomic<int> came{0};
  DaemonOptions options = WithRemotePool();
  options.server.door = CountsSyncs(&came);
  Daemon d(options);
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  worker.Welcome();
  v1::SyncRequest request;
  request.set_instance_key("a");
  request.mutable_wait()->set_seconds(60);
  v1::SyncResponse response;
  grpc::ClientContext context;
  std::thread waiting(
      [&] { EXPECT_EQ(d.workers->Sync(&context, request, &response).error_code(), grpc::StatusCode::CANCELLED); });
  Eventually([&] { return came == 2; });
  context.TryCancel();
  waiting.join();
  Eventually([&] { return d.stats.Requests(Method::kSync, StatusCode::kCancelled) == 1; });
  d.Submit("resize");
  EXPECT_EQ(worker.Lease().kind(), "resize");
}

TEST(Sync, AnotherHelloOfTheSameProcessTakesOver) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  worker.Say(Accepted(lease.ref()));
  v1::WorkRequest hello = Speaker::Hello("a");
  *hello.mutable_hello()->add_held()->mutable_ref() = lease.ref();
  WaitingSync waiting(d, "a");
  // Until the call that waits has come, they replace sessions in which none does.
  Eventually([&] {
    worker.Say(hello);
    EXPECT_EQ(worker.Welcome().welcome().kept_size(), 1);
    return waiting.Answered();
  });
  EXPECT_EQ(waiting.End(), "FAILED_PRECONDITION SESSION_REPLACED");
  worker.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(d.Wait(lease.ref().job_id()).result(), "done");
}

TEST(Sync, AStreamOfTheSameProcessTakesOver) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  Speaker stream(d);
  v1::WorkRequest hello = Speaker::Hello("a");
  *hello.mutable_hello()->add_held()->mutable_ref() = lease.ref();
  stream.Say(hello);
  EXPECT_EQ(stream.Welcome().welcome().kept_size(), 1);
  EXPECT_EQ(Brief(worker.Poll(nullptr, 60)), "FAILED_PRECONDITION SESSION_REPLACED");
  EXPECT_EQ(Brief(worker.Poll(nullptr, 60)), "NOT_FOUND UNKNOWN_SESSION instance_key");
  stream.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(d.Wait(lease.ref().job_id()).result(), "done");
}

TEST(Sync, AWorkerThatCallsNoMoreForALeaseIsForgotten) {
  DaemonOptions options = WithRemotePool();
  options.dispatcher.leases.lease = std::chrono::milliseconds(100);
  Daemon d(options);
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  Eventually([&] {
    grpc::ClientContext context;
    v1::ListWorkersResponse workers;
    Daemon::Must(d.workers->ListWorkers(&context, {}, &workers));
    return workers.workers_size() == 0;
  });
  EXPECT_EQ(Brief(worker.Poll()), "NOT_FOUND UNKNOWN_SESSION instance_key");
  Eventually([&] { return d.server->Stats().call_bytes == 0; });
}

TEST(Sync, AnEndThatAnotherSessionToldIsAcknowledgedAgain) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  // Its answer is lost.
  ASSERT_TRUE(worker.Call(Ended(lease.ref(), "done")).ok());
  d.Wait(id);
  v1::WorkRequest hello = Speaker::Hello("a");
  v1::HeldAttempt& held = *hello.mutable_hello()->add_held();
  *held.mutable_ref() = lease.ref();
  held.set_state(v1::HeldAttempt::STATE_ENDED_UNACKED);
  worker.Say(hello);
  worker.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(worker.Next(HasAcked).acked(0).token(), lease.ref().token());
}

TEST(Sync, AServerThatStopsAnswersTheCallThatWaitsAndTheWorkerKeepsWhatItHas) {
  std::atomic<int> came{0};
  DaemonOptions options = WithRemotePool();
  options.server.door = CountsSyncs(&came);
  Daemon d(options);
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  worker.Say(Accepted(worker.Lease().ref()));
  const int before = came;
  WaitingSync waiting(d, "a");
  Eventually([&] { return came > before; });
  d.Drain();
  d.server->Stop(std::chrono::seconds(10));
  EXPECT_EQ(waiting.End(), "UNAVAILABLE DRAINING");
  EXPECT_EQ(d.dispatcher->Get(*JobId::Parse(id))->state, JobState::kRunning);
}

TEST(Sync, ASessionEndsWithItsServerAndTheWorkerComesBack) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a"));
  d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  worker.Say(Accepted(lease.ref()));
  d.RestartServer();
  std::string end;
  // The channel may notice late that its connection has gone.
  Eventually([&] { return (end = Brief(worker.Poll())).substr(0, 11) != "UNAVAILABLE"; });
  EXPECT_EQ(end, "NOT_FOUND UNKNOWN_SESSION instance_key");
  v1::WorkRequest hello = Speaker::Hello("a");
  *hello.mutable_hello()->add_held()->mutable_ref() = lease.ref();
  worker.Say(hello);
  EXPECT_EQ(worker.Welcome().welcome().kept_size(), 1);
  worker.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(d.Wait(lease.ref().job_id()).attempts(), 1);
}

TEST(Sync, LargePayloadsComeInSeveralAnswers) {
  Daemon d(WithRemotePool());
  const std::string payload(1 << 20, 'p');
  for (int i = 0; i < 4; ++i) d.Submit("resize", payload);
  SyncSpeaker worker(d);
  worker.Say(Speaker::Hello("a", 4));
  int leases = 0;
  while (leases < 4) {
    const v1::WorkResponse given = worker.Next([](const v1::WorkResponse& each) { return each.leases_size() > 0; });
    EXPECT_LT(given.ByteSizeLong(), size_t{3} << 20);
    leases += given.leases_size();
  }
}

TEST(Sync, WhatBreaksTheRulesEndsTheCallAndSaysWhich) {
  Daemon d(WithRemotePool());
  SyncSpeaker worker(d);
  const auto end = [&](const v1::WorkRequest& said) { return Brief(worker.Call(said)); };
  v1::SyncRequest request;
  EXPECT_EQ(Brief(worker.Call(request)), "INVALID_ARGUMENT NO_HELLO said.hello");
  EXPECT_EQ(Brief(worker.Poll()), "NOT_FOUND UNKNOWN_SESSION instance_key");
  request.set_instance_key("b");
  *request.mutable_said() = Speaker::Hello("a");
  EXPECT_EQ(Brief(worker.Call(request)), "INVALID_ARGUMENT BAD_WORKER instance_key");
  for (const int seconds : {-1, 61}) {
    request.mutable_wait()->set_seconds(seconds);
    EXPECT_EQ(Brief(worker.Call(request)), "INVALID_ARGUMENT BAD_WAIT wait") << seconds;
  }
  v1::WorkRequest said = Speaker::Hello();
  said.mutable_hello()->clear_kinds();
  EXPECT_EQ(end(said), "INVALID_ARGUMENT BAD_WORKER said.hello.kinds");
  said = Speaker::Hello();
  said.mutable_hello()->set_protocol_min(2);
  said.mutable_hello()->set_protocol_max(3);
  EXPECT_EQ(end(said), "FAILED_PRECONDITION PROTOCOL_UNSUPPORTED");
  said = Speaker::Hello();
  said.mutable_credit()->set_slots_granted_total(-1);
  EXPECT_EQ(end(said), "INVALID_ARGUMENT BAD_CREDIT said.credit.slots_granted_total");
  EXPECT_EQ(Brief(worker.Poll()), "NOT_FOUND UNKNOWN_SESSION instance_key") << "it was not told of a session";
  EXPECT_EQ(d.Pool("remote").workers, 0);

  worker.Say(Speaker::Hello());
  said.Clear();
  said.add_accepted()->set_job_id("nonsense");
  EXPECT_EQ(end(said), "INVALID_ARGUMENT JOB_ID_MALFORMED said.accepted.job_id");
  said.mutable_accepted(0)->set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
  for (int i = 0; i < 10'000; ++i) *said.add_accepted() = said.accepted(0);
  EXPECT_EQ(end(said), "INVALID_ARGUMENT TOO_MANY_WORDS said.accepted");
  said.Clear();
  said.add_outputs()->set_log(std::string(kWorkRequestBytesMax, 'x'));
  EXPECT_EQ(end(said), "INVALID_ARGUMENT MESSAGE_TOO_LARGE");
  std::string answer;
  EXPECT_EQ(Brief(test::RawCall(d, "/millrace.v1.WorkerService/Sync", std::string("\x0a\xff\xff\xff", 4), &answer)),
            "INVALID_ARGUMENT MALFORMED_REQUEST");
  EXPECT_EQ(Brief(worker.Poll()), "OK") << "the session goes on";
}

TEST(Sync, AWorkerWithoutAPoolIsToldWhatIsMissing) {
  Daemon d;
  EXPECT_EQ(Brief(SyncSpeaker(d).Call(Speaker::Hello())), "FAILED_PRECONDITION NO_REMOTE_POOL");
}

TEST(Sync, ThereAreSoManySessionsAndNoMore) {
  DaemonOptions options = WithRemotePool();
  options.server.sync_sessions_max = 2;
  Daemon d(options);
  SyncSpeaker first(d, "a"), second(d, "b"), third(d, "c");
  first.Say(Speaker::Hello("a"));
  second.Say(Speaker::Hello("b"));
  const test::ErrorSeen refused = Decode(third.Call(Speaker::Hello("c")));
  EXPECT_EQ(Brief(refused), "RESOURCE_EXHAUSTED TOO_MANY_SESSIONS");
  EXPECT_EQ(refused.metadata.at("limit"), "2");
  second.Say(Speaker::Hello("b"));  // One that is there already.
  first.Say(Goodbye());
  third.Say(Speaker::Hello("c"));
  third.Welcome();
}

TEST(Sync, ASessionCountsInTheBudgetOfCalls) {
  DaemonOptions options = WithRemotePool();
  options.server.call_bytes_max = size_t{1} << 20;
  Daemon d(options);
  std::string end = "OK";
  int sessions = 0;
  for (; end == "OK" && sessions < 500; ++sessions) {
    const std::string key = std::to_string(sessions);
    end = Brief(SyncSpeaker(d, key).Call(Speaker::Hello(key)));
  }
  EXPECT_EQ(end, "RESOURCE_EXHAUSTED SERVER_BUSY");
  EXPECT_GT(sessions, 50) << "one holds little";
}

}  // namespace
}  // namespace millrace::rpc
