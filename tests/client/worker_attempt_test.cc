// The library's worker and its attempts, against a daemon that answers as each test wants.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "client/worker.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/client/scripted_daemon.h"
#include "tests/client/team.h"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals are made for this
using millrace::test::Eventually;
using test::WithReason;

using test::PayloadWriter;
using test::WorkerAttempt;

void Give(PayloadWriter* writer, const std::string& bytes) {
  v1::ReadPayloadResponse part;
  part.set_data(bytes);
  writer->Write(part);
}

Outcome Echo(Attempt& attempt) { return Outcome::Success(attempt.payload()); }

TEST_F(WorkerAttempt, TheHelloNamesWhatTheWorkerOffers) {
  Start({.name = "w", .slots = 4, .labels = {{"gpu", "a100"}}, .build_id = "b7"}, [](Worker& w) {
    w.Handle("narrow", Echo);
    w.Handle("wide", Echo, {.slots = 3, .at_once_max = 1});
  });
  Eventually([&] { return worker->healthy(); });
  const v1::WorkerHello hello = daemon.Seen([&] { return daemon.hello; });
  EXPECT_EQ(hello.slots(), 4);
  EXPECT_EQ(hello.labels().at("gpu"), "a100");
  EXPECT_EQ(hello.build_id(), "b7");
  EXPECT_EQ(hello.protocol_min(), 1);
  EXPECT_EQ(hello.protocol_max(), 1);
  ASSERT_EQ(hello.capabilities_size(), 1);
  EXPECT_EQ(hello.capabilities(0), "payload_ref");
  ASSERT_EQ(hello.kinds_size(), 2);
  EXPECT_EQ(hello.kinds(0).kind(), "narrow");
  EXPECT_EQ(hello.kinds(0).slots(), 1);
  EXPECT_EQ(hello.kinds(0).at_once_max(), 0);
  EXPECT_EQ(hello.kinds(1).kind(), "wide");
  EXPECT_EQ(hello.kinds(1).slots(), 3);
  EXPECT_EQ(hello.kinds(1).at_once_max(), 1);
}

TEST_F(WorkerAttempt, ItsSlotsAreGrantedAgainWhenItEnds) {
  daemon.AddLease("wide");
  daemon.AddLease("narrow");
  std::atomic<bool> let_go_wide{false}, let_go_narrow{false};
  const auto await = [](std::atomic<bool>& let_go) {
    return [&let_go](Attempt&) {
      while (!let_go) std::this_thread::sleep_for(1ms);
      return Outcome::Success();
    };
  };
  Start({.name = "w", .slots = 4}, [&](Worker& w) {
    w.Handle("wide", await(let_go_wide), {.slots = 3});
    w.Handle("narrow", await(let_go_narrow));
  });
  const auto last_credit = [&] {
    return daemon.Seen([&] { return daemon.credits.empty() ? 0 : daemon.credits.back(); });
  };
  Eventually([&] { return last_credit() == 4; });
  let_go_wide = true;
  Eventually([&] { return last_credit() == 7; });
  let_go_narrow = true;
  Eventually([&] { return last_credit() == 8; });
  EXPECT_EQ(daemon.Seen([&] { return daemon.credits; }), (std::vector<int64_t>{4, 7, 8}));
  End();
}

TEST_F(WorkerAttempt, GetsTheCheckpointOfAnEarlierOneAndTheNewestItSavesIsToldBeforeItsEnd) {
  daemon.AddLease("count").set_checkpoint("41");
  Start({.name = "w"}, [](Worker& w) {
    w.Handle("count", [](Attempt& attempt) {
      EXPECT_EQ(attempt.checkpoint(), "41");
      EXPECT_TRUE(attempt.SaveCheckpoint("42").ok());
      EXPECT_TRUE(attempt.SaveCheckpoint("43").ok());
      const Status refused = attempt.SaveCheckpoint(std::string((64 << 10) + 1, 'x'));
      EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
      EXPECT_EQ(refused.reason(), "CHECKPOINT_TOO_LARGE");
      return Outcome::Failure("no luck");
    });
  });
  AwaitEnds(1);
  EXPECT_EQ(daemon.Seen([&] { return daemon.saved_at_end.at("job 1"); }), "43");
}

TEST_F(WorkerAttempt, AnEmptyCheckpointIsToldToo) {
  daemon.AddLease("count").set_checkpoint("41");
  Start({.name = "w"}, [](Worker& w) {
    w.Handle("count", [](Attempt& attempt) {
      EXPECT_TRUE(attempt.SaveCheckpoint("").ok());
      return Outcome::Success();
    });
  });
  AwaitEnds(1);
  EXPECT_EQ(daemon.Seen([&] { return daemon.saved; }), std::vector<std::string>{""});
}

TEST_F(WorkerAttempt, CheckpointsAreToldAgainOnTheNextStreamInMessagesThatTheDaemonTakes) {
  constexpr size_t kAttempts = 80;
  for (size_t i = 0; i < kAttempts; ++i) daemon.AddLease("count");
  std::atomic<bool> let_go{false};
  daemon.hear = [&](auto&, auto*) { return daemon.hellos > 1 || daemon.saved.size() < kAttempts; };
  Start({.name = "w", .slots = kAttempts}, [&](Worker& w) {
    w.Handle("count", [&](Attempt& attempt) {
      EXPECT_TRUE(attempt.SaveCheckpoint(std::string(64 << 10, 'x')).ok());
      while (!let_go) std::this_thread::sleep_for(1ms);
      return Outcome::Success();
    });
  });
  Eventually([&] { return daemon.Seen([&] { return daemon.saved.size() == 2 * kAttempts; }); });
  let_go = true;
  AwaitEnds(kAttempts);
  EXPECT_LT(daemon.Seen([&] { return daemon.largest_bytes; }), size_t{4} << 20);
  End();
}

TEST_F(WorkerAttempt, GoesOnWhereTheDaemonRefusesItsCheckpoint) {
  daemon.AddLease("count");
  // The error is read before the handler is told to stop.
  daemon.hear = [](const v1::WorkRequest& request, v1::WorkResponse* response) {
    for (const v1::AttemptOutput& output : request.outputs()) {
      if (!output.has_checkpoint()) continue;
      v1::AttemptError& error = *response->add_errors();
      *error.mutable_ref() = output.ref();
      error.set_reason("CHECKPOINT_TOO_LARGE");
      *response->add_stops()->mutable_ref() = output.ref();
    }
    return true;
  };
  Start({.name = "w"}, [](Worker& w) {
    w.Handle("count", [](Attempt& attempt) {
      EXPECT_TRUE(attempt.SaveCheckpoint("1").ok());
      while (!attempt.stop().stop_requested()) std::this_thread::sleep_for(1ms);
      return Outcome::Success("done");
    });
  });
  AwaitEnds(1);
  EXPECT_EQ(daemon.Seen([&] { return daemon.ended.at("job 1").result(); }), "done");
}

TEST_F(WorkerAttempt, ReadsAPayloadThatItsLeaseLeavesOut) {
  daemon.AddLease("echo").set_payload_bytes(7);
  daemon.AddLease("echo").set_payload("in the lease");
  daemon.AddLease("echo");
  daemon.read_payload = [](const v1::AttemptRef& ref, PayloadWriter* writer) {
    Give(writer, ref.job_id());
    Give(writer, ":)");
    return grpc::Status::OK;
  };
  Start({.name = "w"}, [](Worker& w) { w.Handle("echo", Echo); });
  AwaitEnds(3);
  EXPECT_EQ(daemon.Seen([&] { return daemon.ended.at("job 1").result(); }), "job 1:)");
  EXPECT_EQ(daemon.Seen([&] { return daemon.ended.at("job 2").result(); }), "in the lease");
  EXPECT_EQ(daemon.Seen([&] { return daemon.ended.at("job 3").result(); }), "");
}

TEST_F(WorkerAttempt, AsksAgainForAPayloadThatCannotBeHadNow) {
  daemon.AddLease("echo").set_payload_bytes(4);
  std::atomic<int> reads{0};
  daemon.read_payload = [&](const v1::AttemptRef&, PayloadWriter* writer) {
    Give(writer, "he");
    if (++reads < 3) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
    Give(writer, "re");
    return grpc::Status::OK;
  };
  Start({.name = "w"}, [](Worker& w) { w.Handle("echo", Echo); });
  AwaitEnds(1);
  EXPECT_EQ(daemon.Seen([&] { return daemon.ended.at("job 1").result(); }), "here");
  EXPECT_EQ(reads, 3);
  End();
}

TEST_F(WorkerAttempt, FailsWithTheReasonWhyItsPayloadCannotBeRead) {
  daemon.AddLease("echo").set_payload_bytes(4);
  daemon.AddLease("echo").set_payload_bytes(4);
  daemon.read_payload = [](const v1::AttemptRef& ref, PayloadWriter* writer) {
    if (ref.job_id() == "job 1") return WithReason(grpc::StatusCode::INTERNAL, "DAMAGED", "its record is damaged");
    Give(writer, "cut");
    return grpc::Status::OK;
  };
  Start({.name = "w"}, [](Worker& w) { w.Handle("echo", Echo); });
  AwaitEnds(2);
  EXPECT_EQ(ErrorOfEnd("job 1"), "cannot read the payload: its record is damaged");
  EXPECT_EQ(ErrorOfEnd("job 2"), "cannot read the payload: the daemon sent 3 bytes of 4");
}

TEST_F(WorkerAttempt, IsDroppedWithoutAWordWhereItsPayloadBelongsToSomebodyElse) {
  daemon.AddLease("echo").set_payload_bytes(4);
  daemon.AddLease("echo");
  daemon.read_payload = [](const v1::AttemptRef&, PayloadWriter*) {
    return WithReason(grpc::StatusCode::FAILED_PRECONDITION, "LEASE_LOST", "others run it");
  };
  std::atomic<int> runs{0};
  Start({.name = "w", .slots = 1}, [&](Worker& w) {
    w.Handle("echo", [&](Attempt&) {
      ++runs;
      return Outcome::Success();
    });
  });
  AwaitEnds(1);
  End();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(daemon.Seen([&] { return daemon.ended.contains("job 2"); })) << "its slot is free for the next one";
}

TEST_F(WorkerAttempt, ThatWaitsForItsPayloadHasNotFailedWhenTheWorkerIsStopped) {
  daemon.AddLease("echo").set_payload_bytes(4);
  std::atomic<int> reads{0};
  daemon.read_payload = [&](const v1::AttemptRef&, PayloadWriter*) {
    ++reads;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now");
  };
  bool goodbye = false;
  daemon.hear = [&](const v1::WorkRequest& request, auto*) {
    goodbye |= request.goodbye();
    return true;
  };
  Start({.name = "w", .drain_timeout = 1ms}, [](Worker& w) { w.Handle("echo", Echo); });
  Eventually([&] { return reads > 0; });
  End();
  EXPECT_TRUE(daemon.Seen([&] { return daemon.ended.empty(); }));
  EXPECT_TRUE(daemon.Seen([&] { return goodbye; })) << "it is given back";
}

TEST_F(WorkerAttempt, NoneIsDisturbedByADrainOfAnOperator) {
  daemon.AddLease("hold");
  std::atomic<bool> let_go{false};
  std::atomic<v1::WorkerDrain::Why> say{v1::WorkerDrain::WHY_OPERATOR};
  daemon.hear = [&](const v1::WorkRequest&, v1::WorkResponse* response) {
    response->mutable_drain()->set_why(say);
    return true;
  };
  Start({.name = "w"}, [&](Worker& w) {
    w.Handle("hold", [&](Attempt& attempt) {
      while (!let_go) {
        attempt.SetProgress(0.5);  // Each is a request, which the daemon answers.
        std::this_thread::sleep_for(1ms);
      }
      return attempt.stop().stop_requested() ? Outcome::Failure("stopped") : Outcome::Success();
    });
  });
  Eventually([&] { return worker->drained(); });
  say = v1::WorkerDrain::WHY_RESUMED;
  Eventually([&] { return !worker->drained(); });
  let_go = true;
  AwaitEnds(1);
  EXPECT_EQ(ErrorOfEnd("job 1"), "");
  EXPECT_EQ(daemon.Seen([&] { return daemon.hellos; }), 1) << "and the stream is the same";
  End();
}

}  // namespace
}  // namespace millrace::client
