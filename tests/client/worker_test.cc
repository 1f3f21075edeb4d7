// The library's worker against a whole daemon.
#include "client/worker.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/team.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::Daemon;
using millrace::test::Eventually;
using test::Team;
using test::WithRemotePool;

TEST(Worker, RunsJobsAndTellsHowTheyEnded) {
  Daemon d(WithRemotePool());
  Team team(d);
  team.worker->Handle("upper", [](Attempt& attempt) {
    attempt.Log("at work\n");
    attempt.SetProgress(0.5, "half");
    std::string result = attempt.payload();
    for (char& c : result) c = static_cast<char>(toupper(c));
    return Outcome::Success(result);
  });
  team.worker->Handle("unlucky", [](Attempt&) {
    Outcome outcome = Outcome::Failure("no luck");
    outcome.do_not_retry = true;
    return outcome;
  });
  team.worker->Handle("throw", [](Attempt&) -> Outcome { throw std::runtime_error("thrown"); });
  team.Start();
  const v1::Job job = d.Wait(d.Submit("upper", "cat"));
  EXPECT_EQ(job.result(), "CAT");
  EXPECT_EQ(job.log_tail(), "at work\n");
  EXPECT_EQ(job.progress().message(), "half");
  EXPECT_EQ(job.attempt_history(0).worker(), "team");
  EXPECT_EQ(d.Wait(d.Submit("unlucky")).error(), "no luck");
  const std::string thrown = d.Submit("throw");
  Eventually([&] { return d.Get(thrown).error() == "thrown"; });
  Eventually([&] { return team.worker->healthy(); });
  EXPECT_TRUE(team.End().ok());
  EXPECT_EQ(d.Pool("remote").workers, 0);
}

TEST(Worker, RunsAsManyAtOnceAsItHasSlotsAndThousandsOneAfterTheOther) {
  Daemon d(WithRemotePool());
  Team team(d);
  std::atomic<int> now{0}, most{0}, all{0};
  team.worker->Handle("count", [&](Attempt&) {
    const int running = ++now;
    for (int seen = most; seen < running && !most.compare_exchange_weak(seen, running);) {
    }
    ++all;
    --now;
    return Outcome::Success();
  });
  team.Start();
  std::vector<std::string> ids;
  for (int i = 0; i < 3000; ++i) ids.push_back(d.Submit("count"));
  for (const std::string& id : ids) EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(all, 3000);
  EXPECT_LE(most, 4);
}

TEST(Worker, ACancelRequestsTheStopOfTheHandler) {
  Daemon d(WithRemotePool());
  Team team(d);
  std::atomic<bool> began{false};
  team.worker->Handle("hold", [&](Attempt& attempt) {
    began = true;
    while (!attempt.stop().stop_requested()) std::this_thread::sleep_for(1ms);
    return Outcome::Success("stopped");
  });
  team.Start();
  const std::string id = d.Submit("hold", "", "remote");  // Natively there is a kind of this name as well.
  Eventually([&] { return began.load(); });
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::Job job;
  grpc::ClientContext context;
  Daemon::Must(d.jobs->CancelJob(&context, request, &job));
  EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_CANCELLED);
}

TEST(Worker, AHandlerMayLogWhenItIsToldToStop) {
  Daemon d(WithRemotePool());
  Team team(d);
  std::atomic<bool> began{false};
  team.worker->Handle("resize", [&](Attempt& attempt) {
    std::stop_callback told(attempt.stop(), [&] { attempt.Log("told to stop\n"); });
    began = true;
    while (!attempt.stop().stop_requested()) std::this_thread::sleep_for(1ms);
    return Outcome::Success();
  });
  team.Start();
  const std::string id = d.Submit("resize");
  Eventually([&] { return began.load(); });
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::Job job;
  grpc::ClientContext context;
  Daemon::Must(d.jobs->CancelJob(&context, request, &job));
  EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_CANCELLED);
}

TEST(Worker, WhatADaemonWouldNotTakeIsAFailureOfItsJobAlone) {
  Daemon d(WithRemotePool());
  Team team(d);
  team.worker->Handle("large", [](Attempt&) { return Outcome::Success(std::string(8 << 20, 'x')); });
  team.worker->Handle("garbage", [](Attempt& attempt) {
    attempt.SetProgress(0.5, "\xff\xfe");
    Outcome outcome = Outcome::Failure("\xff no luck");
    outcome.do_not_retry = true;
    outcome.retry_after = -1ms;
    return outcome;
  });
  team.worker->Handle("good", [](Attempt&) { return Outcome::Success("good"); });
  team.Start();
  const v1::Job large = d.Wait(d.Submit("large"));
  EXPECT_EQ(large.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(large.attempts(), 1);
  EXPECT_EQ(d.Wait(d.Submit("garbage")).error(), "? no luck");
  EXPECT_EQ(d.Wait(d.Submit("good")).result(), "good");
}

TEST(Worker, WhatRunsGoesOnWhileTheConnectionIsAwayAndItsEndIsToldLater) {
  Daemon d(WithRemotePool());
  Team team(d);
  std::atomic<bool> began{false}, let_go{false};
  std::atomic<int> runs{0};
  team.worker->Handle("resize", [&](Attempt&) {
    ++runs;
    began = true;
    while (!let_go) std::this_thread::sleep_for(1ms);
    return Outcome::Success("done");
  });
  team.Start();
  const std::string id = d.Submit("resize");
  Eventually([&] { return began.load(); });
  d.RestartServer();
  let_go = true;
  Eventually([&] { return d.dispatcher->Get(*JobId::Parse(id))->state == JobState::kSucceeded; });
  EXPECT_EQ(runs, 1);
}

TEST(Worker, AStopLetsRunningHandlersEndAndGivesBackWhatTakesTooLong) {
  Daemon d(WithRemotePool());
  Team patient(d, {.name = "patient", .slots = 1});
  std::atomic<bool> began{false}, let_go{false};
  const Worker::Handler slow = [&](Attempt& attempt) {
    began = true;
    while (!let_go && !attempt.stop().stop_requested()) std::this_thread::sleep_for(1ms);
    return Outcome::Success("done");
  };
  patient.worker->Handle("resize", slow);
  patient.Start();
  const std::string first = d.Submit("resize"), second = d.Submit("resize");
  Eventually([&] { return began.load(); });
  patient.Stop();
  Eventually([&] { return d.Pool("remote").workers == 0; });
  let_go = true;
  EXPECT_TRUE(patient.End().ok());
  EXPECT_EQ(d.Get(first).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(d.Get(second).state(), v1::JOB_STATE_QUEUED);

  began = let_go = false;
  Team hasty(d, {.name = "hasty", .slots = 1, .drain_timeout = 1ms});
  hasty.worker->Handle("resize", slow);
  hasty.Start();
  Eventually([&] { return began.load(); });
  EXPECT_TRUE(hasty.End().ok());
  EXPECT_NE(d.Get(second).state(), v1::JOB_STATE_FAILED);
}

TEST(Worker, RunSaysWhatTheDaemonHoldsAgainstTheWorker) {
  Daemon d;
  Team team(d);
  team.worker->Handle("resize", [](Attempt&) { return Outcome::Success(); });
  EXPECT_EQ(team.worker->Run({}).reason(), "NO_REMOTE_POOL");
  Daemon remote(WithRemotePool());
  Team nameless(remote, {.name = "two words"});
  nameless.worker->Handle("resize", [](Attempt&) { return Outcome::Success(); });
  EXPECT_EQ(nameless.worker->Run({}).reason(), "BAD_WORKER");
}

// Submits a job that only a worker with this label may run.
std::string SubmitFor(Daemon& d, const std::string& kind, const std::string& label, const std::string& value) {
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_kind(kind);
  (*request.mutable_spec()->mutable_placement()->mutable_require())[label] = value;
  v1::SubmitJobResponse response;
  grpc::ClientContext context;
  Daemon::Must(d.jobs->SubmitJob(&context, request, &response));
  return response.id();
}

TEST(Worker, RunsWhatRequiresItsLabelsItsNameOrItsBuild) {
  Daemon d(WithRemotePool());
  Team plain(d, {.name = "plain"});
  Team labelled(d, {.name = "labelled", .labels = {{"gpu", "a100"}}, .build_id = "b7"});
  for (Team* team : {&plain, &labelled}) {
    team->worker->Handle("resize", [](Attempt&) { return Outcome::Success(); });
    team->Start();
    Eventually([&] { return team->worker->healthy(); });
  }
  EXPECT_EQ(d.Wait(SubmitFor(d, "resize", "gpu", "a100")).attempt_history(0).worker(), "labelled");
  EXPECT_EQ(d.Wait(SubmitFor(d, "resize", "build", "b7")).attempt_history(0).worker(), "labelled");
  EXPECT_EQ(d.Wait(SubmitFor(d, "resize", "worker", "plain")).attempt_history(0).worker(), "plain");
}

TEST(Worker, WhatRunsAtOnceTakesNoMoreThanItsSlots) {
  Daemon d(WithRemotePool());
  Team team(d);
  std::atomic<int> now{0}, most{0}, alone{0}, most_alone{0}, all{0};
  const auto raise = [](std::atomic<int>& most_of, int running) {
    for (int seen = most_of; seen < running && !most_of.compare_exchange_weak(seen, running);) {
    }
  };
  const auto taking = [&](int slots) {
    return [&, slots](Attempt&) {
      raise(most, now += slots);
      ++all;
      now -= slots;
      return Outcome::Success();
    };
  };
  team.worker->Handle("narrow", taking(1));
  team.worker->Handle("wide", taking(3), {.slots = 3});
  team.worker->Handle("alone",
                      [&](Attempt&) {
                        raise(most_alone, ++alone);
                        ++all;
                        --alone;
                        return Outcome::Success();
                      },
                      {.at_once_max = 1});
  team.Start();
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    for (const char* kind : {"narrow", "wide", "alone"}) ids.push_back(d.Submit(kind));
  }
  for (const std::string& id : ids) EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(all, 300);
  EXPECT_LE(most, 4);
  EXPECT_EQ(most_alone, 1);
}

TEST(Worker, AKindThatTakesMoreSlotsThanThereAreIsRefused) {
  Daemon d(WithRemotePool());
  Team team(d, {.name = "small", .slots = 2});
  team.worker->Handle("wide", [](Attempt&) { return Outcome::Success(); }, {.slots = 3});
  EXPECT_EQ(team.worker->Run({}).reason(), "BAD_WORKER");
}

TEST(Worker, ALaterAttemptGoesOnWhereAnEarlierOneSaved) {
  Daemon d(WithRemotePool());
  Team team(d);
  team.worker->Handle("count", [](Attempt& attempt) {
    if (!attempt.checkpoint().empty()) return Outcome::Success("after " + attempt.checkpoint());
    EXPECT_TRUE(attempt.SaveCheckpoint("1").ok());
    EXPECT_TRUE(attempt.SaveCheckpoint("2").ok());
    EXPECT_EQ(attempt.SaveCheckpoint(std::string((64 << 10) + 1, 'x')).reason(), "CHECKPOINT_TOO_LARGE");
    Outcome outcome = Outcome::Failure("no luck");
    outcome.retry_after = 0ms;
    return outcome;
  });
  team.Start();
  EXPECT_EQ(d.Wait(d.Submit("count")).result(), "after 2");
}

TEST(Worker, ALargePayloadIsReadApart) {
  Daemon d(WithRemotePool());
  Team team(d);
  team.worker->Handle("measure", [](Attempt& attempt) {
    return Outcome::Success(std::to_string(attempt.lease().payload_bytes()) + attempt.payload().substr(299'999));
  });
  team.Start();
  EXPECT_EQ(d.Wait(d.Submit("measure", std::string(299'999, 'x') + "end")).result(), "300002end");
}

TEST(Worker, ThatIsDrainedByAnOperatorStaysAndGetsJobsAgainWhenItIsResumed) {
  Daemon d(WithRemotePool());
  Team team(d);
  team.worker->Handle("resize", [](Attempt&) { return Outcome::Success(); });
  team.Start();
  Eventually([&] { return team.worker->healthy(); });
  EXPECT_FALSE(team.worker->drained());
  ASSERT_TRUE(team.client->DrainWorker("team").ok());
  Eventually([&] { return team.worker->drained(); });
  const std::string id = d.Submit("resize");
  EXPECT_EQ(d.Get(id).state(), v1::JOB_STATE_QUEUED);
  EXPECT_TRUE(team.worker->healthy());
  ASSERT_TRUE(team.client->ResumeWorker("team").ok());
  EXPECT_EQ(d.Wait(id).state(), v1::JOB_STATE_SUCCEEDED);
  Eventually([&] { return !team.worker->drained(); });
}

// A daemon that gives one lease, and listens.
class Listener final : public v1::WorkerService::Service {
 public:
  grpc::Status Work(grpc::ServerContext*,
                    grpc::ServerReaderWriter<v1::WorkResponse, v1::WorkRequest>* stream) override {
    v1::WorkRequest request;
    while (stream->Read(&request)) {
      std::lock_guard guard(mutex);
      if (request.has_hello()) {
        ++hellos;
        held = request.hello().held_size();
        v1::WorkResponse response;
        response.mutable_welcome()->mutable_heartbeat_interval()->set_nanos(10'000'000);
        response.mutable_welcome()->mutable_lease()->set_seconds(3600);
        if (hellos == 1) {
          v1::Lease& lease = *response.add_leases();
          lease.set_kind("resize");
          lease.mutable_ref()->set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
          lease.mutable_ref()->set_token(7);
        }
        stream->Write(response);
      }
      if (!request.has_heartbeat()) continue;
      ++heartbeats;
      named += request.heartbeat().held().refs_size();
      if (deaf) continue;
      v1::WorkResponse response;
      response.mutable_heartbeat_ack()->set_sequence(request.heartbeat().sequence());
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  int Count(int Listener::*what) {
    std::lock_guard guard(mutex);
    return this->*what;
  }

  std::mutex mutex;
  int hellos = 0, held = 0, heartbeats = 0, named = 0;
  std::atomic<bool> deaf{false};
};

TEST(Worker, HeartbeatsComeWhateverHandlersDoAndWithoutAnswersItConnectsAnew) {
  Listener listener;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&listener);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  auto client = *Client::Connect("127.0.0.1:" + std::to_string(port));
  Worker worker(*client, {.name = "w", .drain_timeout = 1ms});
  std::atomic<bool> let_go{false};
  worker.Handle("resize", [&](Attempt&) {
    while (!let_go) std::this_thread::sleep_for(1ms);
    return Outcome::Success();
  });
  std::jthread run([&](std::stop_token stop) { EXPECT_TRUE(worker.Run(stop).ok()); });
  Eventually([&] { return listener.Count(&Listener::named) > 2; });
  listener.deaf = true;
  Eventually([&] { return listener.Count(&Listener::hellos) > 1; });
  EXPECT_EQ(listener.Count(&Listener::held), 1) << "it names what it holds when it comes back";
  let_go = true;
  run.request_stop();
  server->Shutdown(std::chrono::system_clock::now());
}

}  // namespace
}  // namespace millrace::client
