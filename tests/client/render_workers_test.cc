#include "client/cli/render_workers.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

const WallNanos kWorkersSeenAt = *ParseTime("2026-01-31T12:00:00Z");

v1::Worker SomeWorker() {
  v1::Worker worker;
  worker.set_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5M");
  worker.set_name("host/7");
  worker.set_state(v1::Worker::STATE_CONNECTED);
  worker.set_sdk("c++");
  worker.set_build_id("b7");
  (*worker.mutable_labels())["worker"] = "host/7";
  (*worker.mutable_labels())["gpu"] = "a100";
  (*worker.mutable_labels())["build"] = "b7";
  worker.add_kinds()->set_kind("resize");
  v1::KindOffer& wide = *worker.add_kinds();
  wide.set_kind("render");
  wide.set_slots(3);
  wide.set_at_once_max(1);
  worker.set_slots(4);
  worker.set_slots_used(3);
  worker.set_attempts_given(1234);
  *worker.mutable_connect_time() = ToProto(kWorkersSeenAt - std::chrono::hours(1));
  *worker.mutable_heard_time() = ToProto(kWorkersSeenAt - std::chrono::seconds(65));
  return worker;
}

TEST(WorkerTable, HasALineForEachWorker) {
  v1::Worker away;
  away.set_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5N");
  away.set_name("b");
  away.set_state(v1::Worker::STATE_AWAY);
  away.set_slots(16);
  EXPECT_EQ(WorkerTable({SomeWorker(), away}, kWorkersSeenAt),
            "ID                          NAME    STATE      SLOTS  KINDS          LABELS                 HEARD\n"
            "01K5AZ7N3Q0R8Z4V6X2Y9W1T5M  host/7  CONNECTED    3/4  resize render  build=b7 gpu=a100  1m 5s ago\n"
            "01K5AZ7N3Q0R8Z4V6X2Y9W1T5N  b       AWAY        0/16                                            -\n");
}

TEST(WorkerTable, CutsWhatIsLong) {
  v1::Worker worker = SomeWorker();
  for (int i = 0; i < 100; ++i) worker.add_kinds()->set_kind("kind" + std::to_string(i));
  const std::string text = WorkerTable({worker}, kWorkersSeenAt);
  EXPECT_NE(text.find("kind0"), std::string::npos);
  EXPECT_EQ(text.find("kind99"), std::string::npos);
  EXPECT_NE(text.find("…"), std::string::npos);
}

TEST(WorkerDetail, SaysAllOfAWorkerAndWhatItHolds) {
  v1::Worker worker = SomeWorker();
  v1::WorkerAttempt& held = *worker.add_attempts();
  held.set_job_id("01K5AZ7N3Q0R8Z4V6X2Y9W1T5J");
  held.set_kind("render");
  held.set_attempt(2);
  held.set_accepted(true);
  *held.mutable_start_time() = ToProto(kWorkersSeenAt - std::chrono::seconds(65));
  EXPECT_EQ(WorkerDetail(worker, kWorkersSeenAt),
            "id:           01K5AZ7N3Q0R8Z4V6X2Y9W1T5M\n"
            "name:         host/7\n"
            "state:        CONNECTED\n"
            "slots:        3 of 4 used\n"
            "kind:         resize\n"
            "kind:         render  (takes 3 slots, 1 at once)\n"
            "label:        build=b7\n"
            "label:        gpu=a100\n"
            "label:        worker=host/7\n"
            "sdk:          c++\n"
            "build:        b7\n"
            "connected:    2026-01-31 11:00:00.000Z  1h 0m ago\n"
            "heard:        2026-01-31 11:58:55.000Z  1m 5s ago\n"
            "attempts:     1,234 given since it came first\n"
            "\n"
            "JOB                         KIND    ATTEMPT      SINCE\n"
            "01K5AZ7N3Q0R8Z4V6X2Y9W1T5J  render        2  1m 5s ago\n");
}

TEST(WorkerDetail, TellsALeaseThatIsNotAcceptedYet) {
  v1::Worker worker;
  worker.add_attempts()->set_kind("render");
  EXPECT_NE(WorkerDetail(worker, kWorkersSeenAt).find("(not accepted yet)"), std::string::npos);
}

TEST(WorkerDetail, KeepsATerminalSafeFromWhatWorkersSay) {
  v1::Worker worker;
  worker.set_sdk("\033[2Jgone");
  EXPECT_NE(WorkerDetail(worker, kWorkersSeenAt).find("sdk:          ?[2Jgone\n"), std::string::npos);
}

}  // namespace
}  // namespace millrace::cli
