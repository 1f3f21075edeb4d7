#include "rpc/work_convert.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace millrace::rpc {
namespace {

constexpr char kSomeJob[] = "01K5AZ7N3Q0R8Z4V6X2Y9W1T5M";

// "REASON" of what TakeHello says of a worker that speaks these versions; "" when it is taken.
std::string RefusalOfVersions(int least, int most) {
  v1::WorkerHello hello;
  hello.set_protocol_min(least);
  hello.set_protocol_max(most);
  dispatch::WorkerOffer offer;
  return TakeHello(std::move(hello), &offer).reason();
}

TEST(TakeHello, KeepsAllThatAWorkerOffers) {
  v1::WorkerHello hello;
  hello.set_worker("w");
  hello.set_instance_key("key");
  hello.set_sdk("python/0.1.0");
  hello.set_build_id("b7");
  hello.set_slots(8);
  hello.add_kinds()->set_kind("resize");
  v1::KindOffer& crop = *hello.add_kinds();
  crop.set_kind("crop");
  crop.set_slots(4);
  crop.set_at_once_max(2);
  hello.add_kinds()->set_slots(-1);
  (*hello.mutable_labels())["gpu"] = "a100";
  v1::HeldAttempt& held = *hello.add_held();
  held.mutable_ref()->set_job_id(kSomeJob);
  held.mutable_ref()->set_attempt(3);
  held.mutable_ref()->set_token(9);
  held.set_state(v1::HeldAttempt::STATE_ENDED_UNACKED);
  hello.add_capabilities("something_newer");

  dispatch::WorkerOffer offer;
  v1::WorkerHello again = hello;
  ASSERT_TRUE(TakeHello(std::move(hello), &offer).ok());
  EXPECT_EQ(offer.worker, "w");
  EXPECT_EQ(offer.key, "key");
  EXPECT_EQ(offer.sdk, "python/0.1.0");
  EXPECT_EQ(offer.build_id, "b7");
  EXPECT_EQ(offer.slots, 8);
  ASSERT_EQ(offer.kinds.size(), 3u);
  EXPECT_EQ(offer.kinds[0], (dispatch::KindOffer{.name = "resize", .slots = 1, .at_once_max = 0}));
  EXPECT_EQ(offer.kinds[1], (dispatch::KindOffer{.name = "crop", .slots = 4, .at_once_max = 2}));
  EXPECT_EQ(offer.kinds[2].slots, -1) << "dispatch refuses it";
  EXPECT_EQ(offer.labels, (LabelSet{{"gpu", "a100"}}));
  ASSERT_EQ(offer.held.size(), 1u);
  EXPECT_EQ(offer.held[0].ref.claim.attempt, 3);
  EXPECT_EQ(offer.held[0].ref.claim.token, 9u);
  EXPECT_TRUE(offer.held[0].finished);
  EXPECT_FALSE(offer.reads_payloads);

  again.add_capabilities("payload_ref");
  dispatch::WorkerOffer reader;
  ASSERT_TRUE(TakeHello(std::move(again), &reader).ok());
  EXPECT_TRUE(reader.reads_payloads);
}

TEST(TakeHello, AVersionThatBothSpeakIsNeeded) {
  EXPECT_EQ(RefusalOfVersions(0, 0), "");
  EXPECT_EQ(RefusalOfVersions(0, 3), "");
  EXPECT_EQ(RefusalOfVersions(1, 1), "");
  EXPECT_EQ(RefusalOfVersions(-5, 1), "");
  EXPECT_EQ(RefusalOfVersions(2, 3), "PROTOCOL_UNSUPPORTED");
  EXPECT_EQ(RefusalOfVersions(2, 0), "PROTOCOL_UNSUPPORTED");
  EXPECT_EQ(RefusalOfVersions(0, -1), "PROTOCOL_UNSUPPORTED");
  v1::WorkerHello hello;
  hello.set_protocol_min(2);
  hello.set_protocol_max(3);
  dispatch::WorkerOffer offer;
  const Status status = TakeHello(std::move(hello), &offer);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("versions 2 to 3"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("versions 1 to 1"), std::string::npos) << status.message();
}

TEST(TakeWords, ACheckpointIsOneThatIsGivenUpOrNone) {
  v1::WorkRequest request;
  for (int i = 0; i < 3; ++i) request.add_outputs()->mutable_ref()->set_job_id(kSomeJob);
  request.mutable_outputs(0)->set_checkpoint("half");
  request.mutable_outputs(1)->set_checkpoint("");
  request.mutable_outputs(1)->mutable_progress()->set_fraction(0.5);
  dispatch::WorkerWords words;
  ASSERT_TRUE(TakeWords(std::move(request), &words).ok());
  ASSERT_EQ(words.shown.size(), 3u);
  EXPECT_EQ(words.shown[0].checkpoint, "half");
  EXPECT_EQ(words.shown[1].checkpoint, "");
  EXPECT_EQ(words.shown[1].progress->fraction, 0.5);
  EXPECT_EQ(words.shown[2].checkpoint, std::nullopt);
}

TEST(FillLease, APayloadIsInItOrReadApart) {
  JobSpec spec;
  spec.kind = "resize";
  spec.payload = MakeBytes("cat");
  dispatch::Lease lease{.ref = {}, .spec = std::make_shared<JobSpec>(spec), .run_timeout = {}};
  v1::Lease whole, apart;
  Fill(lease, &whole);
  EXPECT_EQ(whole.payload(), "cat");
  EXPECT_EQ(whole.payload_bytes(), 0);
  EXPECT_EQ(whole.checkpoint(), "");
  lease.payload_apart = 3;
  lease.checkpoint = MakeBytes("half");
  Fill(lease, &apart);
  EXPECT_EQ(apart.payload(), "");
  EXPECT_EQ(apart.payload_bytes(), 3);
  EXPECT_EQ(apart.checkpoint(), "half");
}

}  // namespace
}  // namespace millrace::rpc
