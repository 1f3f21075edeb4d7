// The stream of a worker, message by message. What becomes of leases is tests/dispatch/leases_test.cc's subject.
#include "rpc/work_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>
#include <utility>

#include "rpc/work_words.h"
#include "tests/rpc/speaker.h"

namespace millrace::rpc {
namespace {

using test::Daemon;
using test::DaemonOptions;
using test::Ended;
using test::Eventually;
using test::Speaker;
using test::WithRemotePool;

TEST(Work, AJobComesWithAllThatItsHandlerNeedsAndItsResultGoesBack) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  ASSERT_TRUE(worker.Say(Speaker::Hello()));
  const v1::WorkResponse first = worker.Welcome();
  EXPECT_EQ(first.welcome().heartbeat_interval().seconds(), 5);
  EXPECT_EQ(first.welcome().lease().seconds(), 30);
  EXPECT_EQ(first.welcome().protocol(), 1);
  EXPECT_EQ(first.welcome().worker_id().size(), 26u);
  EXPECT_THAT(first.welcome().capabilities(), testing::UnorderedElementsAre("payload_ref", "checkpoint", "costs"));

  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("resize");  // Its pool is where workers are, as nothing here knows the kind.
  request.mutable_spec()->set_payload("cat");
  (*request.mutable_spec()->mutable_labels())["tenant"] = "acme";
  request.mutable_spec()->mutable_trace()->set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  request.mutable_spec()->mutable_run_timeout()->set_seconds(60);
  v1::SubmitJobResponse submitted;
  grpc::ClientContext context;
  Daemon::Must(d.jobs->SubmitJob(&context, request, &submitted));

  const v1::Lease lease = worker.Lease();
  EXPECT_EQ(lease.ref().job_id(), submitted.id());
  EXPECT_EQ(lease.kind(), "resize");
  EXPECT_EQ(lease.payload(), "cat");
  EXPECT_EQ(lease.labels().at("tenant"), "acme");
  EXPECT_EQ(lease.trace().traceparent(), request.spec().trace().traceparent());
  EXPECT_EQ(lease.run_timeout().seconds(), 60);

  v1::WorkRequest words;
  *words.add_accepted() = lease.ref();
  v1::AttemptOutput& output = *words.add_outputs();
  *output.mutable_ref() = lease.ref();
  output.mutable_progress()->set_fraction(std::nan(""));
  output.mutable_progress()->set_message("half");
  output.set_log("a line\n");
  ASSERT_TRUE(worker.Say(words));
  v1::WorkRequest end = Ended(lease.ref(), "small cat");
  end.mutable_ended(0)->mutable_timings()->mutable_cpu()->set_seconds(1'000'000);
  ASSERT_TRUE(worker.Say(end));
  const v1::WorkResponse acked = worker.Next([](const v1::WorkResponse& each) { return each.acked_size() > 0; });
  EXPECT_EQ(acked.acked(0).token(), lease.ref().token());
  const v1::Job job = d.Get(submitted.id());
  EXPECT_EQ(job.result(), "small cat");
  EXPECT_EQ(job.log_tail(), "a line\n");
  EXPECT_EQ(job.progress().fraction(), 0) << "a NaN is none";
  EXPECT_EQ(job.attempt_history(0).worker(), "worker-a");
  const v1::AttemptTimings& timings = job.attempt_history(0).timings();
  EXPECT_EQ(timings.cpu().seconds(), timings.run().seconds()) << "no more than the time that it took";
}

TEST(Work, WhatBreaksTheRulesEndsTheStreamAndSaysWhich) {
  Daemon d(WithRemotePool());
  const auto end = [&](const std::vector<v1::WorkRequest>& requests) {
    Speaker worker(d);
    for (const v1::WorkRequest& request : requests) worker.Say(request);
    return worker.End();
  };
  EXPECT_EQ(end({v1::WorkRequest()}), "INVALID_ARGUMENT NO_HELLO hello");
  EXPECT_EQ(end({Speaker::Hello(), Speaker::Hello()}), "INVALID_ARGUMENT TWO_HELLOS hello");
  v1::WorkRequest request = Speaker::Hello();
  request.mutable_hello()->clear_kinds();
  EXPECT_EQ(end({request}), "INVALID_ARGUMENT BAD_WORKER hello.kinds");
  for (int i = 0; i < 10'000; ++i) request.mutable_hello()->add_kinds()->set_kind("kind" + std::to_string(i));
  EXPECT_EQ(end({request}), "INVALID_ARGUMENT BAD_WORKER hello.kinds");
  request = Speaker::Hello();
  request.mutable_hello()->set_protocol_min(2);
  request.mutable_hello()->set_protocol_max(3);
  EXPECT_EQ(end({request}), "FAILED_PRECONDITION PROTOCOL_UNSUPPORTED");
  request = Speaker::Hello();
  request.mutable_credit()->set_slots_granted_total(-1);
  EXPECT_EQ(end({request}), "INVALID_ARGUMENT BAD_CREDIT credit.slots_granted_total");
  request.Clear();
  request.add_accepted()->set_job_id("nonsense");
  EXPECT_EQ(end({Speaker::Hello(), request}), "INVALID_ARGUMENT JOB_ID_MALFORMED accepted.job_id");
  request.Clear();
  request.add_outputs()->set_log(std::string(kWorkRequestBytesMax, 'x'));
  EXPECT_EQ(end({Speaker::Hello(), request}), "INVALID_ARGUMENT MESSAGE_TOO_LARGE");
  EXPECT_EQ(d.Pool("remote").workers, 0);
}

TEST(Work, AWorkerWithoutAPoolIsToldWhatIsMissing) {
  Daemon d;
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  EXPECT_EQ(worker.End(), "FAILED_PRECONDITION NO_REMOTE_POOL");
}

TEST(Work, AnEndThatIsToldTwiceIsAcknowledgedTwiceAndOneThatIsLateIsRefused) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  const auto acked = [](const v1::WorkResponse& each) { return each.acked_size() > 0; };
  worker.Say(Ended(lease.ref(), "once"));
  worker.Next(acked);
  worker.Say(Ended(lease.ref(), "twice"));
  worker.Next(acked);
  EXPECT_EQ(d.Get(id).result(), "once");
  v1::AttemptRef wrong = lease.ref();
  wrong.set_token(wrong.token() + 1);
  worker.Say(Ended(wrong, "wrong"));
  const v1::WorkResponse refused = worker.Next([](const v1::WorkResponse& each) { return each.errors_size() > 0; });
  EXPECT_EQ(refused.errors(0).reason(), "LEASE_LOST");
  EXPECT_EQ(refused.errors(0).ref().token(), wrong.token());
}

TEST(Work, AHeartbeatIsAnswered) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  v1::WorkRequest request = Speaker::Hello();
  request.mutable_heartbeat()->set_sequence(7);
  worker.Say(request);
  EXPECT_EQ(
      worker.Next([](const v1::WorkResponse& each) { return each.has_heartbeat_ack(); }).heartbeat_ack().sequence(), 7);
}

TEST(Work, ACancelReachesTheWorker) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  const v1::Lease lease = worker.Lease();
  v1::CancelJobRequest request;
  request.set_id(id);
  request.set_reason("not needed");
  v1::Job job;
  grpc::ClientContext context;
  Daemon::Must(d.jobs->CancelJob(&context, request, &job));
  const v1::WorkResponse told = worker.Next([](const v1::WorkResponse& each) { return each.stops_size() > 0; });
  EXPECT_EQ(told.stops(0).ref().token(), lease.ref().token());
  worker.Say(Ended(lease.ref(), ""));
  EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_CANCELLED);
}

TEST(Work, AResultThatIsTooLargeFailsTheJobForGood) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  worker.Say(Ended(worker.Lease().ref(), std::string((1 << 20) + 1, 'x')));
  const v1::Job job = d.Wait(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_NE(job.error().find("1048577 bytes"), std::string::npos) << job.error();
}

TEST(Work, TheNewerStreamOfOneProcessTakesOver) {
  Daemon d(WithRemotePool());
  Speaker older(d);
  older.Say(Speaker::Hello("a"));
  const std::string id = d.Submit("resize");
  const v1::Lease lease = older.Lease();
  v1::WorkRequest hello = Speaker::Hello("a");
  *hello.mutable_hello()->add_held()->mutable_ref() = lease.ref();
  Speaker newer(d);
  newer.Say(hello);
  EXPECT_EQ(newer.Welcome().welcome().kept_size(), 1);
  EXPECT_EQ(older.End(), "FAILED_PRECONDITION SESSION_REPLACED");
  newer.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(d.Wait(id).result(), "done");
}

TEST(Work, TheEndOfAStreamLosesNothingForAWhile) {
  Daemon d(WithRemotePool());
  v1::Lease lease;
  {
    Speaker before(d);
    before.Say(Speaker::Hello("a"));
    d.Submit("resize");
    lease = before.Lease();
    v1::WorkRequest accepted;
    *accepted.add_accepted() = lease.ref();
    before.Say(accepted);
    before.HalfClose();
    EXPECT_EQ(before.End(), "OK");
  }
  EXPECT_EQ(d.Get(lease.ref().job_id()).state(), v1::JOB_STATE_RUNNING);
  v1::WorkRequest hello = Speaker::Hello("a");
  *hello.mutable_hello()->add_held()->mutable_ref() = lease.ref();
  Speaker after(d);
  after.Say(hello);
  after.Welcome();
  after.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(d.Wait(lease.ref().job_id()).attempts(), 1);
}

TEST(Work, AGoodbyeGivesBackWhatIsLeft) {
  Daemon d(WithRemotePool());
  Speaker leaving(d);
  leaving.Say(Speaker::Hello("a"));
  const std::string id = d.Submit("resize");
  leaving.Lease();
  v1::WorkRequest goodbye;
  goodbye.set_goodbye(true);
  leaving.Say(goodbye);
  EXPECT_EQ(leaving.End(), "OK");
  Speaker other(d);
  other.Say(Speaker::Hello("b"));
  EXPECT_EQ(other.Lease().ref().attempt(), 2);
  EXPECT_EQ(d.Get(id).attempts(), 1) << "the first does not count";
}

TEST(Work, ADaemonThatEndsTellsItsWorkersToComeBack) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  worker.Say(Speaker::Hello());
  const std::string id = d.Submit("resize");
  worker.Lease();
  d.Drain();
  std::thread stop([&] { d.server->Stop(std::chrono::seconds(10)); });
  EXPECT_EQ(worker.End().substr(0, 11), "UNAVAILABLE");
  EXPECT_EQ(worker.drain, v1::WorkerDrain::WHY_SHUTDOWN);
  stop.join();
  EXPECT_EQ(d.dispatcher->Get(*JobId::Parse(id))->state, JobState::kRunning) << "it stays the worker's";
}

TEST(Work, LargePayloadsComeInSeveralMessagesBelowWhatAClientTakes) {
  DaemonOptions options = WithRemotePool();
  Daemon d(options);
  const std::string payload(1 << 20, 'p');
  for (int i = 0; i < 4; ++i) d.Submit("resize", payload);
  Speaker worker(d);
  worker.Say(Speaker::Hello("a", 4));
  int leases = 0;
  while (leases < 4) {
    const v1::WorkResponse given = worker.Next([](const v1::WorkResponse& each) { return each.leases_size() > 0; });
    EXPECT_LT(given.ByteSizeLong(), size_t{3} << 20);
    leases += given.leases_size();
  }
}

TEST(Work, ManyLeasesWithLongLabelsComeInMessagesThatAClientTakes) {
  DaemonOptions options = WithRemotePool();
  options.pools[1].capacity_jobs = 1000;
  Daemon d(options);
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind("resize");
  for (int i = 0; i < 32; ++i)
    (*request.mutable_spec()->mutable_labels())["l" + std::to_string(i)] = std::string(255, 'v');
  for (int i = 0; i < 600; ++i) {
    v1::SubmitJobResponse response;
    grpc::ClientContext context;
    Daemon::Must(d.jobs->SubmitJob(&context, request, &response));
  }
  Speaker worker(d);
  v1::WorkRequest hello = Speaker::Hello("a", 600);
  hello.mutable_hello()->set_slots(600);
  worker.Say(hello);
  int leases = 0;
  while (leases < 600) {
    const v1::WorkResponse given = worker.Next([](const v1::WorkResponse& each) { return each.leases_size() > 0; });
    EXPECT_LT(given.ByteSizeLong(), size_t{2} << 20);
    leases += given.leases_size();
  }
}

TEST(Work, TooManyWordsInOneMessageAreRefused) {
  Daemon d(WithRemotePool());
  Speaker worker(d);
  v1::WorkRequest request = Speaker::Hello();
  v1::AttemptRef ref;
  ref.set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
  for (int i = 0; i < 10'001; ++i) *request.add_accepted() = ref;
  worker.Say(request);
  EXPECT_EQ(worker.End(), "INVALID_ARGUMENT TOO_MANY_WORDS accepted");
}

TEST(Work, AWorkerThatReadsNothingIsNotHeardForEver) {
  Daemon d(WithRemotePool());
  Speaker deaf(d);
  deaf.Say(Speaker::Hello());
  v1::WorkRequest words;
  v1::AttemptRef ref;
  ref.set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
  for (int i = 0; i < 5000; ++i) *words.add_accepted() = ref;
  // Each is answered with some hundred kilobytes of errors. Its writes stop going through, as nothing more is read; a
  // cancel ends that, and others are served meanwhile.
  std::atomic<int> written{0};
  std::thread writer([&] {
    while (written < 2000 && deaf.Say(words)) ++written;
  });
  int before = -1;
  Eventually([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return std::exchange(before, written.load()) == written;
  });
  EXPECT_LT(written, 2000);
  Speaker other(d);
  other.Say(Speaker::Hello("b"));
  other.Welcome();
  deaf.Cancel();
  writer.join();
}

}  // namespace
}  // namespace millrace::rpc
