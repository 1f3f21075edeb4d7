#define XXH_INLINE_ALL
#include "store/record.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "tests/support/job_records.h"

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using dispatch::SpentRequest;
using test::RandomRecords;

std::string Spec(const JobRecord& record) {
  return EncodeSpec(record.id, {record.spec, record.request_id, record.created});
}
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
  ExpectSame(a.payload, b.payload);
  EXPECT_EQ(one.life.state, other.life.state);
  EXPECT_EQ(one.life.claim, other.life.claim);
  EXPECT_EQ(std::tie(one.due, one.finished, one.attempts, one.losses, one.cancel_requested, one.error, one.log_bytes),
            std::tie(other.due, other.finished, other.attempts, other.losses, other.cancel_requested, other.error,
                     other.log_bytes));
  ExpectSame(one.result, other.result);
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
    Result<JobRecord> read = DecodeJob(record.id, Spec(record), State(record));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    ExpectSame(record, *read);
  }
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
    std::string spec = Spec(record), state = State(record);
    std::string& hit = random.Chance() ? spec : state;
    hit = Damage(random, hit);
    Result<JobRecord> read = DecodeJob(record.id, spec, state);
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
    EXPECT_FALSE(DecodeJob(record.id, both.substr(0, spec.size()), both.substr(spec.size())).ok()) << "bit " << bit;
  }
}

TEST(Record, BytesOfAnotherJobOrPartAreRefused) {
  RandomRecords random(5);
  const JobRecord one = random.New(), other = random.New();
  EXPECT_TRUE(DecodeJob(one.id, Spec(one), State(one)).ok());
  EXPECT_FALSE(DecodeJob(one.id, Spec(other), State(one)).ok());
  EXPECT_FALSE(DecodeJob(one.id, Spec(one), State(other)).ok());
  EXPECT_FALSE(DecodeJob(one.id, State(one), State(one)).ok());
  EXPECT_FALSE(DecodeJob(one.id, Spec(one), Spec(one)).ok());
  EXPECT_FALSE(DecodeJob(one.id, "", "").ok());
}

TEST(Record, ASpentRequestIdComesBackAndDamageIsSeen) {
  RandomRecords random(6);
  for (int i = 0; i < 500; ++i) {
    const SpentRequest request{random.Text(30),
                               {random.Number(), random.Number()},
                               random.Chance() ? std::optional(random.Number()) : std::nullopt,
                               static_cast<JobState>(random.Below(kJobStates)),
                               random.Wall()};
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
  const char later = kRecordVersion + 1;
  std::string state = State(record);
  // As a later version would write it: the checksum, which knows the version, is right.
  const std::string about = std::string("\2") + later + KeyOf(record.id);
  const uint64_t seed = XXH3_64bits(about.data(), about.size());
  const uint64_t checksum = XXH3_64bits_withSeed(state.data() + 9, state.size() - 9, seed);
  state[0] = later;
  memcpy(&state[1], &checksum, 8);
  EXPECT_EQ(DecodeJob(record.id, Spec(record), state).status().reason(), "STORE_TOO_NEW");
}

// ---- Bytes, fixed for ever: a store that was written by an earlier build has to be read by a later one.

std::string Hex(const std::string& bytes) {
  std::string text;
  char two[3];
  for (unsigned char byte : bytes) {
    snprintf(two, sizeof(two), "%02x", byte);
    text += two;
  }
  return text;
}

std::string Unhex(std::string_view text) {
  std::string bytes;
  for (; text.size() >= 2; text.remove_prefix(2)) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16)));
  }
  return bytes;
}

JobRecord Sample() {
  // As it was in version 1; what came later is at the end.
  JobRecord record;
  record.id = {1, 2};
  record.request_id = "r";
  record.created = WallTime(Nanos(3));
  JobSpec spec;
  spec.pool = "p";
  spec.kind = "k";
  spec.payload = MakeBytes("payload");
  spec.labels = {{"a", "b"}};
  record.spec = std::make_shared<const JobSpec>(spec);
  record.life = {JobState::kSucceeded, {1, 7}};
  record.attempts = 1;
  record.finished = WallTime(Nanos(4));
  record.result = MakeBytes("result");
  return record;
}

SpentRequest SampleRequest() { return {"r", {1, 2}, 0x0123456789abcdef, JobState::kFailed, WallTime(Nanos(5))}; }

TEST(Record, TheBytesOfVersion1AreRead) {
  const std::string spec = Unhex("016e0dd5433a334da80172060170016b0200000000000000000001016101627061796c6f6164");
  const std::string state = Unhex("01d248b5daa066f65f040207000000000000000001080200000000000006726573756c74");
  Result<JobRecord> read = DecodeJob({1, 2}, spec, state);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ExpectSame(*read, Sample());

  Result<SpentRequest> request =
      DecodeRequest("r", Unhex("01b8cd0cdee376e19a01000000000000000200000000000000efcdab8967452301050a"));
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  SpentRequest expected = SampleRequest();
  expected.fingerprint.reset();  // Another build cannot compare it.
  EXPECT_EQ(*request, expected);
}

TEST(Record, TheBytesOfVersion2StayAsTheyAre) {
  JobRecord unique = Sample();
  JobSpec spec = *unique.spec;
  spec.unique_key = UniqueKey{"key", UniqueScope::kWhileUnfinished, OnTaken::kReject};
  unique.spec = std::make_shared<const JobSpec>(spec);
  EXPECT_EQ(Hex(Spec(unique)),
            "02738e20c77857a0450172060170016b02000000000000000000010161016201036b657901017061796c6f6164");
  EXPECT_EQ(Hex(Spec(Sample())), "02a5e7a75ae16e8ab00172060170016b020000000000000000000101610162007061796c6f6164");
  EXPECT_EQ(Hex(State(Sample())), "021763ea875c3dfa38040207000000000000000001080200000000000006726573756c74");
  EXPECT_EQ(Hex(EncodeRequest(SampleRequest())),
            "02ad0cb9f24b05f6af0100000000000000020000000000000001efcdab8967452301050a");
}

}  // namespace
}  // namespace millrace::store
