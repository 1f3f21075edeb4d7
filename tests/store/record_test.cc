#define XXH_INLINE_ALL
#include "store/record.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "job/fingerprint.h"
#include "job/spec_fields.h"
#include "tests/support/full_spec.h"
#include "tests/support/job_records.h"

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using dispatch::SpentRequest;
using test::RandomRecords;

std::string Spec(const JobRecord& record) { return EncodeSpec(record.id, SpecOf(record)); }
std::string Payload(const JobRecord& record) { return EncodePayload(record.id, SpecOf(record)); }
std::string State(const JobRecord& record) { return EncodeState(record.id, PrepareState(record)); }

void ExpectSame(const Bytes& one, const Bytes& other) { EXPECT_EQ(one ? *one : "", other ? *other : ""); }

// Field by field: comparing encodings would not see a field that is forgotten in both directions.
void ExpectSame(const JobRecord& one, const JobRecord& other) {
  EXPECT_EQ(one.id, other.id);
  EXPECT_EQ(one.request_id, other.request_id);
  EXPECT_EQ(one.created, other.created);
  const JobSpec &a = *one.spec, &b = *other.spec;
  EXPECT_EQ(
      std::tie(a.pool, a.kind, a.band, a.delay, a.run_at, a.run_timeout, a.deadline, a.no_retry_after_start, a.labels),
      std::tie(b.pool, b.kind, b.band, b.delay, b.run_at, b.run_timeout, b.deadline, b.no_retry_after_start, b.labels));
  EXPECT_EQ(std::tie(a.retry.max_attempts, a.retry.initial_backoff, a.retry.max_backoff, a.retry.multiplier),
            std::tie(b.retry.max_attempts, b.retry.initial_backoff, b.retry.max_backoff, b.retry.multiplier));
  EXPECT_EQ(a.unique_key, b.unique_key);
  EXPECT_EQ(a.trace, b.trace);
  ExpectSame(a.payload, b.payload);
  EXPECT_EQ(one.life.state, other.life.state);
  EXPECT_EQ(one.life.claim, other.life.claim);
  EXPECT_EQ(std::tie(one.due, one.finished, one.attempts, one.losses, one.cancel_requested, one.deadline_waived,
                     one.error, one.log_bytes),
            std::tie(other.due, other.finished, other.attempts, other.losses, other.cancel_requested,
                     other.deadline_waived, other.error, other.log_bytes));
  ExpectSame(one.result, other.result);
  ExpectSame(one.checkpoint, other.checkpoint);
  ExpectSame(one.log_tail, other.log_tail);
  ASSERT_EQ(one.progress.has_value(), other.progress.has_value());
  if (one.progress) {
    EXPECT_EQ(std::tie(one.progress->fraction, one.progress->message, one.progress->updated),
              std::tie(other.progress->fraction, other.progress->message, other.progress->updated));
  }
  ASSERT_EQ(one.history.size(), other.history.size());
  for (size_t i = 0; i < one.history.size(); ++i) {
    const Attempt &x = one.history[i], &y = other.history[i];
    EXPECT_EQ(std::tie(x.number, x.start, x.end, x.worker, x.result, x.error, x.exit_code),
              std::tie(y.number, y.start, y.end, y.worker, y.result, y.error, y.exit_code));
    const AttemptTimings &t = x.timings, &u = y.timings;
    EXPECT_EQ(std::tie(t.queued, t.run, t.cpu, t.runnable, t.blocked_inside, t.blocked_outside),
              std::tie(u.queued, u.run, u.cpu, u.runnable, u.blocked_inside, u.blocked_outside));
  }
}

TEST(Record, EveryFieldComesBack) {
  RandomRecords random(1);
  for (int i = 0; i < 2000; ++i) {
    JobRecord record = random.New();
    if (random.Chance()) random.Ended(&record);
    const std::string spec = Spec(record), state = State(record), payload = Payload(record);
    Result<JobRecord> read = DecodeJob(record.id, {spec, state, payload});
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    ExpectSame(record, *read);
  }
}

// The random ones above know the fields of today; this one goes by the list.
TEST(Record, EveryFieldOfASpecThatIsKeptComesBack) {
  JobRecord record = RandomRecords(6).New();
  JobSpec full = test::FullSpec();
  record.payload_bytes = static_cast<int64_t>(PayloadOf(full).size());
  record.spec = std::make_shared<const JobSpec>(full);
  const std::string spec = Spec(record), state = State(record);
  Result<JobRecord> read = DecodeJob(record.id, {spec, state});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(full.payload, read->spec->payload);
  JobSpec back = *read->spec;
  back.payload = full.payload;
  ForEachField(kSpecFields, [&](const auto& field) {
    const bool kept = field.since != kNotKept;
    EXPECT_EQ(field.IsGiven(back), kept) << field.name;
    EXPECT_TRUE(!kept || back.*field.member == full.*field.member) << field.name;
  });
}

TEST(Record, KeysOrderAsIdsDo) {
  RandomRecords random(2);
  for (int i = 0; i < 1000; ++i) {
    const JobId one{random.Below(3) << 62 | random.Below(3), random.Number()};
    const JobId other{random.Below(3) << 62 | random.Below(3), random.Number()};
    EXPECT_EQ(one < other, KeyOf(one) < KeyOf(other));
    EXPECT_EQ(IdOf(KeyOf(one)), one);
  }
  EXPECT_FALSE(IdOf("short").has_value());
  EXPECT_FALSE(IdOf(std::string(17, 'x')).has_value());
}

// Flips bits, cuts and appends.
std::string Damage(RandomRecords& random, std::string bytes) {
  const std::string before = bytes;
  while (bytes == before) {
    switch (random.Below(4)) {
      case 0:
        bytes.resize(random.Below(bytes.size() + 1));
        break;
      case 1:
        bytes += random.Text(20);
        break;
      default:
        for (uint64_t flips = 1 + random.Below(8); flips > 0 && !bytes.empty(); --flips) {
          bytes[random.Below(bytes.size())] ^= static_cast<char>(1u << random.Below(8));
        }
    }
    if (bytes.empty()) break;
  }
  return bytes;
}

TEST(Record, DamagedBytesAreAnErrorAndNeverAJob) {
  RandomRecords random(3);
  for (int i = 0; i < 20'000; ++i) {
    JobRecord record = random.New();
    if (random.Chance()) random.Ended(&record);
    std::string spec = Spec(record), state = State(record), payload = Payload(record);
    std::string& hit = random.Chance() ? spec : random.Chance() && SpecOf(record).payload_apart() ? payload : state;
    hit = Damage(random, hit);
    Result<JobRecord> read = DecodeJob(record.id, {spec, state, payload});
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.status().reason(), "STORE_DAMAGED");
  }
}

TEST(Record, EverySingleBitCounts) {
  RandomRecords random(4);
  JobRecord record = random.New();
  random.Ended(&record);
  const std::string spec = Spec(record), state = State(record);
  for (size_t bit = 0; bit < 8 * (spec.size() + state.size()); ++bit) {
    std::string both = spec + state;
    both[bit / 8] ^= static_cast<char>(1u << bit % 8);
    EXPECT_FALSE(DecodeJob(record.id,
                           {std::string_view(both).substr(0, spec.size()), std::string_view(both).substr(spec.size())})
                     .ok())
        << "bit " << bit;
  }
}

TEST(Record, BytesOfAnotherJobOrPartAreRefused) {
  RandomRecords random(5);
  const JobRecord one = random.New(), other = random.New();
  const std::string spec = Spec(one), state = State(one), other_spec = Spec(other), other_state = State(other);
  EXPECT_TRUE(DecodeJob(one.id, {spec, state}).ok());
  EXPECT_FALSE(DecodeJob(one.id, {other_spec, state}).ok());
  EXPECT_FALSE(DecodeJob(one.id, {spec, other_state}).ok());
  EXPECT_FALSE(DecodeJob(one.id, {state, state}).ok());
  EXPECT_FALSE(DecodeJob(one.id, {spec, spec}).ok());
  EXPECT_FALSE(DecodeJob(one.id, {"", ""}).ok());
}

// A record whose payload is one of its own.
TEST(Record, APayloadThatIsNotSmallIsLeftOutOrWhole) {
  RandomRecords random(8);
  JobRecord record = random.New(), other = random.New();
  for (JobRecord* each : {&record, &other}) {
    auto spec = std::make_shared<JobSpec>(*each->spec);
    spec->payload = MakeBytes(std::string(kInlinePayloadBytes + 1, 'x'));
    each->payload_bytes = static_cast<int64_t>(spec->payload->size());
    each->spec = spec;
  }
  const std::string spec = Spec(record), state = State(record), payload = Payload(record);
  EXPECT_LT(spec.size(), kInlinePayloadBytes);
  Result<JobRecord> without = DecodeJob(record.id, {spec, state});
  ASSERT_TRUE(without.ok());
  EXPECT_EQ(without->spec->payload, nullptr);
  EXPECT_EQ(without->payload_bytes, record.payload_bytes);
  ExpectSame(*DecodeJob(record.id, {spec, state, payload}), record);
  for (const std::string& wrong : {Payload(other), spec, std::string()}) {
    EXPECT_EQ(DecodeJob(record.id, {spec, state, wrong}).status().reason(), "STORE_DAMAGED");
  }
}

TEST(Record, ABasicReadLeavesOutResultAndLog) {
  RandomRecords random(9);
  JobRecord record = random.New();
  random.Ended(&record);
  SetResult(MakeBytes("result"), &record);
  const std::string spec = Spec(record), state = State(record);
  Result<JobRecord> read = DecodeJob(record.id, {spec, state}, dispatch::Journal::Part::kBasic);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->result, nullptr);
  EXPECT_EQ(read->log_tail, nullptr);
  EXPECT_EQ(read->error, record.error);
  EXPECT_EQ(read->log_bytes, record.log_bytes);
}

TEST(Record, WhatRetentionKnowsComesBackAndOrdersByFinishTime) {
  RandomRecords random(10);
  for (int i = 0; i < 500; ++i) {
    JobRecord record = random.New(), other = random.New();
    random.Ended(&record);
    random.Ended(&other);
    const dispatch::EndedJob job = EndedOf(record), second = EndedOf(other);
    const std::string key = KeyOfEnded(job), bytes = EncodeEnded(job);
    Result<dispatch::EndedJob> read = DecodeEnded(key, bytes);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, job);
    EXPECT_EQ(std::tie(job.finished, job.id) < std::tie(second.finished, second.id), key < KeyOfEnded(second));
    EXPECT_FALSE(DecodeEnded(KeyOfEnded(second), bytes).ok());
    EXPECT_FALSE(DecodeEnded(key, Damage(random, bytes)).ok());
    EXPECT_FALSE(DecodeEnded(key.substr(1), bytes).ok());
  }
}

TEST(Record, ASpentRequestIdComesBackAndDamageIsSeen) {
  RandomRecords random(6);
  for (int i = 0; i < 500; ++i) {
    const SpentRequest request{random.Text(30),
                               {random.Number(), random.Number()},
                               random.Chance() ? std::optional(random.Number()) : std::nullopt,
                               static_cast<JobState>(random.Below(kJobStates)),
                               random.Chance() ? std::optional(random.Wall()) : std::nullopt};
    const std::string bytes = EncodeRequest(request);
    Result<SpentRequest> read = DecodeRequest(request.request_id, bytes);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, request);
    EXPECT_FALSE(DecodeRequest(request.request_id + "x", bytes).ok());
    EXPECT_FALSE(DecodeRequest(request.request_id, Damage(random, bytes)).ok());
  }
}

TEST(Record, ALaterVersionIsRefusedAsSuch) {
  RandomRecords random(7);
  const JobRecord record = random.New();
  std::string state = State(record);
  // As a later version would write it: the checksum, which knows the version, is right.
  const char later = kRecordVersion + 1;
  const std::string about = std::string("\2") + later + KeyOf(record.id);
  const uint64_t seed = XXH3_64bits(about.data(), about.size());
  const uint64_t checksum = XXH3_64bits_withSeed(state.data() + 9, state.size() - 9, seed);
  state[0] = later;
  memcpy(&state[1], &checksum, 8);
  const std::string spec = Spec(record);
  EXPECT_EQ(DecodeJob(record.id, {spec, state}).status().reason(), "STORE_TOO_NEW");
}

// The bytes of each version, fixed for ever: a store that was written by an earlier build has to be read by a later
// one.
std::string Hex(const std::string& bytes) {
  std::string text;
  char two[3];
  for (unsigned char byte : bytes) {
    snprintf(two, sizeof(two), "%02x", byte);
    text += two;
  }
  return text;
}

std::string FromHex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

JobRecord Example() {
  JobRecord record;
  record.id = {1, 2};
  record.request_id = "r";
  record.created = WallTime(Nanos(3));
  JobSpec spec;
  spec.pool = "p";
  spec.kind = "k";
  spec.payload = MakeBytes("payload");
  spec.labels = {{"a", "b"}};
  record.fingerprint = 5;
  record.payload_bytes = 7;
  record.spec = std::make_shared<const JobSpec>(spec);
  record.life = {JobState::kSucceeded, {1, 7}};
  record.attempts = 1;
  record.finished = WallTime(Nanos(4));
  SetResult(MakeBytes("result"), &record);
  return record;
}

TEST(Record, TheBytesOfVersion1AreRead) {
  const std::string spec = FromHex("016e0dd5433a334da80172060170016b0200000000000000000001016101627061796c6f6164");
  const std::string state = FromHex("01d248b5daa066f65f040207000000000000000001080200000000000006726573756c74");
  const JobRecord expected = Example();
  Result<JobRecord> read = DecodeJob(expected.id, {spec, state});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, expected);
  EXPECT_EQ(read->payload_bytes, 7);
  EXPECT_EQ(read->fingerprint, Fingerprint(*expected.spec)) << "it was not written down then";
}

TEST(Record, TheBytesOfVersion2AreRead) {
  const std::string spec =
      FromHex("02738e20c77857a0450172060170016b02000000000000000000010161016201036b657901017061796c6f6164");
  const std::string state = FromHex("021763ea875c3dfa38040207000000000000000001080200000000000006726573756c74");
  JobRecord expected = Example();
  JobSpec unique = *expected.spec;
  unique.unique_key = UniqueKey{"key", UniqueScope::kWhileUnfinished, OnTaken::kReject};
  expected.spec = std::make_shared<const JobSpec>(unique);
  Result<JobRecord> read = DecodeJob(expected.id, {spec, state});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, expected);
  EXPECT_EQ(read->payload_bytes, 7);
  const SpentRequest request{"r", {1, 2}, 0x0123456789abcdef, JobState::kFailed, WallTime(Nanos(5))};
  EXPECT_EQ(*DecodeRequest("r", FromHex("02ad0cb9f24b05f6af0100000000000000020000000000000001efcdab8967452301050a")),
            request);
  SpentRequest older = request;
  older.fingerprint.reset();  // Another build could not compare it.
  EXPECT_EQ(*DecodeRequest("r", FromHex("01b8cd0cdee376e19a01000000000000000200000000000000efcdab8967452301050a")),
            older);
}

TEST(Record, TheBytesOfVersion3AreRead) {
  const std::string spec =
      FromHex("03a187977523b8e69b0172060170016b0200000000000000000001016101620005000000000000000e7061796c6f6164");
  const std::string state = FromHex("03a834947b32b04043040207000000000000000001080200000000000006726573756c74");
  const JobRecord expected = Example();
  Result<JobRecord> read = DecodeJob(expected.id, {spec, state, FromHex("03fdc9ca65dc9a2aeb7061796c6f6164")});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, expected);
  EXPECT_EQ(
      *DecodeEnded(FromHex("800000000000000400000000000000010000000000000002"), FromHex("035bfa0634f634cb1b041a")),
      EndedOf(expected));
  const SpentRequest request{"r", expected.id, 5, JobState::kSucceeded, std::nullopt};
  EXPECT_EQ(*DecodeRequest("r", FromHex("03c1a8e52e4e0ace73010000000000000002000000000000000105000000000000000400")),
            request);
}

TEST(Record, TheBytesOfVersion4AreRead) {
  const std::string spec =
      FromHex("04b20011c8473738b70172060170016b0200000000000000000001016101620005000000000000000e7061796c6f6164");
  const std::string state = FromHex("04dbc5b603c621182704020700000000000000000108020000000000000006726573756c74");
  const JobRecord expected = Example();
  Result<JobRecord> read = DecodeJob(expected.id, {spec, state, FromHex("046c8954913ebdc1637061796c6f6164")});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, expected);
  EXPECT_EQ(
      *DecodeEnded(FromHex("800000000000000400000000000000010000000000000002"), FromHex("04ef9e08cfe2848ce8041a")),
      EndedOf(expected));
  const SpentRequest request{"r", expected.id, 5, JobState::kSucceeded, std::nullopt};
  EXPECT_EQ(*DecodeRequest("r", FromHex("045a7908718fabf2a5010000000000000002000000000000000105000000000000000400")),
            request);
}

TEST(Record, TheBytesOfVersion5AreRead) {
  const std::string spec =
      FromHex("055986f608876725900172060170016b0200000000000000000001016101620005000000000000000e007061796c6f6164");
  const std::string state = FromHex("05a6c4874ac728867804020700000000000000000108020000000000000006726573756c74");
  JobRecord expected = Example();
  Result<JobRecord> read = DecodeJob(expected.id, {spec, state, FromHex("05842ad38230b2fb5b7061796c6f6164")});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, expected);
  const std::string traced = FromHex(
      "05b08158c2aac0d3af0172060170016b0200000000000000000001016101620005000000000000000e01017001730162706179"
      "6c6f6164");
  JobSpec with_trace = *expected.spec;
  with_trace.trace = Trace({.traceparent = "p", .tracestate = "s", .baggage = "b"});
  expected.spec = std::make_shared<const JobSpec>(with_trace);
  read = DecodeJob(expected.id, {traced, state});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, expected);
  EXPECT_EQ(
      *DecodeEnded(FromHex("800000000000000400000000000000010000000000000002"), FromHex("059f2a6225d800de30041a")),
      EndedOf(expected));
  const SpentRequest request{"r", expected.id, 5, JobState::kSucceeded, std::nullopt};
  EXPECT_EQ(*DecodeRequest("r", FromHex("058795f08e0835bac0010000000000000002000000000000000105000000000000000400")),
            request);
}

// A job with and without what came last: labels of workers, a checkpoint.
TEST(Record, TheBytesOfVersion6StayAsTheyAre) {
  JobRecord record = Example();
  EXPECT_EQ(Hex(Spec(record)),
            "0688e13be6a8bdc4fb0172060170016b0200000000000000000001016101620005000000000000000e0000007061796c6f6164");
  EXPECT_EQ(Hex(State(record)), "06493c161927d3c0280402070000000000000000010802000000000000000006726573756c74");
  EXPECT_EQ(Hex(Payload(record)), "06f4c9e8e6f0de19ee7061796c6f6164");
  EXPECT_EQ(Hex(KeyOfEnded(EndedOf(record)) + EncodeEnded(EndedOf(record))),
            "80000000000000040000000000000001000000000000000206ee74d0d4dd6c4db4041a");
  EXPECT_EQ(Hex(EncodeRequest({"r", record.id, 5, JobState::kSucceeded, std::nullopt})),
            "06d57d24512572e70e010000000000000002000000000000000105000000000000000400");
  JobSpec placed = *record.spec;
  placed.placement = {.require = {{"g", "1"}}, .prefer = {{"w", "2"}, {"z", ""}}};
  record.spec = std::make_shared<const JobSpec>(placed);
  record.checkpoint = MakeBytes("half");
  EXPECT_EQ(
      Hex(Spec(record)),
      "061eade23dd9afcd330172060170016b0200000000000000000001016101620005000000000000000e0001016701310201770132017a"
      "007061796c6f6164");
  EXPECT_EQ(Hex(State(record)), "060e2d863329d23bc5040207000000000000000001080200000000000000040668616c66726573756c74");
}

}  // namespace
}  // namespace millrace::store
