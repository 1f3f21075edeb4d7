// Workers in other processes, as operators see them, and what operators say of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "rpc/worker_service.h"
#include "tests/rpc/speaker.h"

namespace millrace::rpc {
namespace {

using test::Accepted;
using test::Brief;
using test::Daemon;
using test::DaemonOptions;
using test::Ended;
using test::Eventually;
using test::Goodbye;
using test::HasAcked;
using test::HasDrain;
using test::Speaker;
using test::SyncSpeaker;
using test::WithRemotePool;

class WorkersTest : public ::testing::Test {
 protected:
  // Calls `method` for a worker; the answer is in `worker`.
  template <typename Request, typename Call>
  std::string On(Call call, const std::string& name) {
    Request request;
    request.set_worker(name);
    grpc::ClientContext context;
    worker.Clear();
    return Brief((d.workers.get()->*call)(&context, request, &worker));
  }
  std::string Get(const std::string& name) {
    return On<v1::GetWorkerRequest>(&v1::WorkerService::Stub::GetWorker, name);
  }
  std::string Drain(const std::string& name) {
    return On<v1::DrainWorkerRequest>(&v1::WorkerService::Stub::DrainWorker, name);
  }
  std::string Resume(const std::string& name) {
    return On<v1::ResumeWorkerRequest>(&v1::WorkerService::Stub::ResumeWorker, name);
  }
  std::string List(const v1::ListWorkersRequest& request = {}) {
    grpc::ClientContext context;
    list.Clear();
    return Brief(d.workers->ListWorkers(&context, request, &list));
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const v1::Worker& each : list.workers()) names.push_back(each.name());
    return names;
  }
  std::string SubmitWith(const v1::Placement& placement) {
    v1::SubmitJobRequest request;
    request.mutable_spec()->set_kind("resize");
    *request.mutable_spec()->mutable_placement() = placement;
    v1::SubmitJobResponse response;
    grpc::ClientContext context;
    Daemon::Must(d.jobs->SubmitJob(&context, request, &response));
    return response.id();
  }

  static DaemonOptions Options() {
    DaemonOptions options = WithRemotePool();
    options.dispatcher.leases.lease = options.dispatcher.leases.resume_grace = std::chrono::hours(1);
    return options;
  }

  Daemon d{Options()};  // Where a worker that is away is not forgotten.
  v1::Worker worker;
  v1::ListWorkersResponse list;
};

TEST_F(WorkersTest, AWorkerIsShownWithAllThatItSaysOfItself) {
  Speaker speaker(d);
  v1::WorkRequest request = Speaker::Hello("a", 2);
  v1::WorkerHello& hello = *request.mutable_hello();
  hello.set_sdk("test/1");
  hello.set_build_id("b7");
  (*hello.mutable_labels())["gpu"] = "a100";
  hello.mutable_kinds(0)->set_slots(2);
  hello.mutable_kinds(0)->set_at_once_max(1);
  hello.add_kinds()->set_kind("crop");
  speaker.Say(request);
  const std::string id = speaker.Welcome().welcome().worker_id();

  EXPECT_EQ(List(), "OK");
  ASSERT_EQ(list.workers_size(), 1);
  EXPECT_EQ(list.next_page_token(), "");
  const v1::Worker& seen = list.workers(0);
  EXPECT_EQ(seen.id(), id);
  EXPECT_EQ(seen.name(), "worker-a");
  EXPECT_EQ(seen.state(), v1::Worker::STATE_CONNECTED);
  EXPECT_EQ(seen.sdk(), "test/1");
  EXPECT_EQ(seen.build_id(), "b7");
  EXPECT_EQ(seen.labels_size(), 3);
  EXPECT_EQ(seen.labels().at("gpu"), "a100");
  EXPECT_EQ(seen.labels().at("worker"), "worker-a");
  EXPECT_EQ(seen.labels().at("build"), "b7");
  ASSERT_EQ(seen.kinds_size(), 2);
  EXPECT_EQ(seen.kinds(0).kind(), "resize");
  EXPECT_EQ(seen.kinds(0).slots(), 2);
  EXPECT_EQ(seen.kinds(0).at_once_max(), 1);
  EXPECT_EQ(seen.kinds(1).slots(), 1) << "none said is one";
  EXPECT_EQ(seen.slots(), 4);
  EXPECT_EQ(seen.slots_used(), 0);
  EXPECT_GT(seen.connect_time().seconds(), 0);
  EXPECT_GT(seen.heard_time().seconds(), 0);

  const std::string job = d.Submit("resize");
  const v1::Lease lease = speaker.Lease();
  EXPECT_EQ(Get(id), "OK");
  EXPECT_EQ(worker.slots_used(), 2);
  EXPECT_EQ(worker.attempts_given(), 1);
  ASSERT_EQ(worker.attempts_size(), 1);
  EXPECT_EQ(worker.attempts(0).job_id(), job);
  EXPECT_EQ(worker.attempts(0).kind(), "resize");
  EXPECT_EQ(worker.attempts(0).attempt(), 1);
  EXPECT_GT(worker.attempts(0).start_time().seconds(), 0);
  speaker.Say(Accepted(lease.ref()));
  Eventually([&] { return Get("worker-a") == "OK" && worker.attempts(0).accepted(); });
  List();
  EXPECT_EQ(list.workers(0).attempts_size(), 0) << "a list does not tell them";
}

TEST_F(WorkersTest, AWorkerIsNamedByItsIdOrByANameThatNoOtherHas) {
  Speaker first(d);
  first.Say(Speaker::Hello("a"));
  const std::string id = first.Welcome().welcome().worker_id();
  EXPECT_EQ(Get("worker-a"), "OK");
  v1::WorkRequest hello = Speaker::Hello("b");
  hello.mutable_hello()->set_worker("worker-a");
  SyncSpeaker second(d, "b");
  second.Say(hello);
  const std::vector<std::function<std::string(const std::string&)>> calls = {
      [&](const std::string& name) { return Get(name); }, [&](const std::string& name) { return Drain(name); },
      [&](const std::string& name) { return Resume(name); }};
  for (const auto& call : calls) {
    EXPECT_EQ(call("worker-a"), "FAILED_PRECONDITION AMBIGUOUS_WORKER worker");
    EXPECT_EQ(call("worker-z"), "NOT_FOUND UNKNOWN_WORKER worker");
    EXPECT_EQ(call(""), "NOT_FOUND UNKNOWN_WORKER worker");
    EXPECT_EQ(call(id), "OK");
    EXPECT_EQ(worker.id(), id);
  }
}

TEST_F(WorkersTest, AListComesInPagesTheOldestFirst) {
  SyncSpeaker a(d, "a"), b(d, "b"), c(d, "c");
  a.Say(Speaker::Hello("a"));
  b.Say(Speaker::Hello("b"));
  v1::WorkRequest hello = Speaker::Hello("c");
  hello.mutable_hello()->mutable_kinds(0)->set_kind("crop");
  c.Say(hello);

  EXPECT_EQ(List(), "OK");
  EXPECT_THAT(Names(), testing::ElementsAre("worker-a", "worker-b", "worker-c"));
  v1::ListWorkersRequest request;
  request.set_page_size(2);
  EXPECT_EQ(List(request), "OK");
  EXPECT_THAT(Names(), testing::ElementsAre("worker-a", "worker-b"));
  request.set_page_token(list.next_page_token());
  EXPECT_EQ(List(request), "OK");
  EXPECT_THAT(Names(), testing::ElementsAre("worker-c"));
  EXPECT_EQ(list.next_page_token(), "");

  request.Clear();
  request.set_kind("crop");
  EXPECT_EQ(List(request), "OK");
  EXPECT_THAT(Names(), testing::ElementsAre("worker-c"));
  request.set_kind("nothing");
  EXPECT_EQ(List(request), "OK");
  EXPECT_THAT(Names(), testing::IsEmpty());
  b.Say(Goodbye());
  EXPECT_EQ(List(), "OK");
  EXPECT_THAT(Names(), testing::ElementsAre("worker-a", "worker-c"));
}

TEST_F(WorkersTest, APageThatCannotBeIsRefused) {
  v1::ListWorkersRequest request;
  for (const int size : {-1, 1001}) {
    request.set_page_size(size);
    EXPECT_EQ(List(request), "INVALID_ARGUMENT BAD_PAGE_SIZE page_size") << size;
  }
  request.set_page_size(1000);
  EXPECT_EQ(List(request), "OK");
  request.set_page_token("nonsense");
  EXPECT_EQ(List(request), "INVALID_ARGUMENT BAD_PAGE_TOKEN page_token");
}

TEST_F(WorkersTest, AnAnswerThatTheClientDoesNotTakeIsRefused) {
  SyncSpeaker speaker(d);
  speaker.Say(Speaker::Hello());
  grpc::ClientContext context;
  context.AddMetadata("millrace-receive-bytes-max", "10");
  EXPECT_EQ(Brief(d.workers->ListWorkers(&context, {}, &list)), "FAILED_PRECONDITION ANSWER_TOO_LARGE");
}

// Drained and resumed, whatever way it speaks.
template <typename Speaks>
void DrainAndResume(Daemon& d, Speaks& speaker, const std::function<std::string(bool)>& drain) {
  speaker.Say(Speaker::Hello("a", 4));
  speaker.Welcome();
  const std::string first = d.Submit("resize");
  const v1::Lease lease = speaker.Lease();
  speaker.Say(Accepted(lease.ref()));
  EXPECT_EQ(drain(true), "OK STATE_DRAINING");
  EXPECT_EQ(speaker.Next(HasDrain).drain().why(), v1::WorkerDrain::WHY_OPERATOR);
  speaker.Say(Ended(lease.ref(), "done"));
  EXPECT_EQ(d.Wait(first).result(), "done") << "what it has it goes on with";
  const std::string second = d.Submit("resize");
  EXPECT_EQ(d.Get(second).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(drain(false), "OK STATE_CONNECTED");
  const v1::WorkResponse told = speaker.Next(HasDrain);
  EXPECT_EQ(told.drain().why(), v1::WorkerDrain::WHY_RESUMED);
  const std::string given = told.leases_size() > 0 ? told.leases(0).ref().job_id() : speaker.Lease().ref().job_id();
  EXPECT_EQ(given, second);
}

TEST_F(WorkersTest, ADrainedWorkerGetsNoLeasesUntilItIsResumed) {
  const auto drain = [this](bool drained) {
    const std::string end = drained ? Drain("worker-a") : Resume("worker-a");
    return end + " " + v1::Worker::State_Name(worker.state());
  };
  {
    Speaker speaker(d);
    DrainAndResume(d, speaker, drain);
    speaker.Say(Goodbye());
    EXPECT_EQ(speaker.End(), "OK");
  }
  SyncSpeaker other(d, "b");
  other.Say(Speaker::Hello("b"));  // Takes what the goodbye gave back.
  other.Say(Ended(other.Lease().ref(), ""));
  other.Next(HasAcked);
  other.Say(Goodbye());
  SyncSpeaker speaker(d);
  DrainAndResume(d, speaker, drain);
}

TEST_F(WorkersTest, AWorkerWhoseStreamBrokeIsAwayWithWhatItHolds) {
  {
    Speaker speaker(d);
    speaker.Say(Speaker::Hello());
    d.Submit("resize");
    speaker.Say(Accepted(speaker.Lease().ref()));
    speaker.HalfClose();
    EXPECT_EQ(speaker.End(), "OK");
  }
  EXPECT_EQ(Get("worker-a"), "OK");
  EXPECT_EQ(worker.state(), v1::Worker::STATE_AWAY);
  EXPECT_EQ(worker.attempts_size(), 1);
}

TEST_F(WorkersTest, AJobIsGivenToAWorkerWithTheLabelsThatItRequires) {
  SyncSpeaker plain(d, "a"), with_gpu(d, "b");
  plain.Say(Speaker::Hello("a", 4));
  v1::Placement placement;
  (*placement.mutable_require())["gpu"] = "a100";
  (*placement.mutable_prefer())["worker"] = "worker-b";
  const std::string id = SubmitWith(placement);
  const v1::Job job = d.Get(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.spec().placement().SerializeAsString(), placement.SerializeAsString());
  EXPECT_EQ(job.waiting().reason(), v1::Waiting::REASON_NO_LABELS);
  EXPECT_NE(job.waiting().message().find("gpu"), std::string::npos) << job.waiting().message();
  v1::WorkRequest hello = Speaker::Hello("b");
  (*hello.mutable_hello()->mutable_labels())["gpu"] = "a100";
  with_gpu.Say(hello);
  const v1::Lease lease = with_gpu.Lease();
  EXPECT_EQ(lease.ref().job_id(), id);
  EXPECT_FALSE(d.Get(id).has_waiting()) << "it runs";
}

TEST_F(WorkersTest, OnlyGetJobTellsWhyAJobWaits) {
  const std::string id = d.Submit("resize");
  EXPECT_EQ(d.Get(id).waiting().reason(), v1::Waiting::REASON_NO_WORKER);
  grpc::ClientContext context, other;
  v1::ListJobsResponse jobs;
  Daemon::Must(d.jobs->ListJobs(&context, {}, &jobs));
  ASSERT_EQ(jobs.jobs_size(), 1);
  EXPECT_FALSE(jobs.jobs(0).has_waiting());
  v1::WaitJobRequest wait;
  wait.set_id(id);
  wait.mutable_timeout();
  v1::Job job;
  Daemon::Must(d.jobs->WaitJob(&other, wait, &job));
  EXPECT_FALSE(job.has_waiting());
}

}  // namespace
}  // namespace millrace::rpc
