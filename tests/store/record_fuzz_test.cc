// Records that nobody wrote: an error, or a job whose bytes say the same again; never a crash, and never an allocation
// that the bytes talked us into. The checksum would stop nearly all of them, so here it is made right.
#define XXH_INLINE_ALL
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "store/record.h"
#include "tests/support/job_records.h"

namespace millrace::store {
namespace {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::Journal;
using test::RandomRecords;

constexpr size_t kHeader = 9;  // Version and checksum (FORMAT.md).
enum Part : char { kSpec = 1, kState = 2, kRequest = 3, kPayload = 4, kEnded = 5 };

void Seal(Part part, const std::string& key, std::string* record) {
  if (record->size() < kHeader) return;
  const std::string about = std::string{part, (*record)[0]} + key;
  const uint64_t seed = XXH3_64bits(about.data(), about.size());
  const uint64_t checksum = XXH3_64bits_withSeed(record->data() + kHeader, record->size() - kHeader, seed);
  memcpy(record->data() + 1, &checksum, sizeof(checksum));
}

// Changes the body. Numbers that are the end of something are more interesting than others.
void Mutate(RandomRecords& random, const std::string& donor, std::string* record) {
  static constexpr std::string_view kNumbers[] = {
      {"\0", 1},
      {"\x7f", 1},
      {"\x80\x01", 2},
      {"\xff\xff\xff\xff\x0f", 5},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 12},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},
  };
  for (uint64_t times = 1 + random.Below(4); times > 0; --times) {
    const size_t body = record->size() - kHeader;
    const size_t at = kHeader + random.Below(body + 1), length = std::min(record->size() - at, random.Below(12));
    switch (random.Below(6)) {
      case 0:
        if (at < record->size()) (*record)[at] ^= static_cast<char>(1u << random.Below(8));
        break;
      case 1:
        if (at < record->size()) (*record)[at] = static_cast<char>(random.Number());
        break;
      case 2:
        record->erase(at, length);
        break;
      case 3:
        record->insert(at, random.Text(12));
        break;
      case 4:
        record->replace(at, length, kNumbers[random.Below(std::size(kNumbers))]);
        break;
      default: {
        const size_t from = random.Below(donor.size() + 1);
        record->replace(at, length, donor.substr(from, random.Below(40)));
      }
    }
  }
}

// Memory of exactly that size, so that a sanitizer sees one byte too many.
class Exactly {
 public:
  explicit Exactly(const std::string& bytes) : size_(bytes.size()), bytes_(new char[bytes.size()]) {
    memcpy(bytes_.get(), bytes.data(), bytes.size());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  const size_t size_;
  const std::unique_ptr<char[]> bytes_;
};

struct Parts {
  std::string spec, state;
  std::optional<std::string> payload;  // Where it is apart.
};
Parts PartsOf(const JobRecord& record) {
  const SpecPart part = SpecOf(record);
  Parts parts{
      .spec = EncodeSpec(record.id, part), .state = EncodeState(record.id, PrepareState(record)), .payload = {}};
  if (part.payload_apart()) parts.payload = EncodePayload(record.id, part);
  return parts;
}

Result<JobRecord> Decode(const JobId& id, const Parts& parts, Journal::Part part = Journal::Part::kWhole) {
  const Exactly spec(parts.spec), state(parts.state), payload(parts.payload.value_or(""));
  JobBytes bytes{.spec = spec.view(), .state = state.view(), .payload = {}};
  if (parts.payload) bytes.payload = payload.view();
  return DecodeJob(id, bytes, part);
}

unsigned Seed() {
  return getenv("MILLRACE_SEED") != nullptr ? static_cast<unsigned>(atoi(getenv("MILLRACE_SEED"))) : 1;
}

TEST(RecordFuzz, AMutatedRecordWithARightChecksumIsAnErrorOrAJobThatCanBeWritten) {
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(Seed()));
  RandomRecords random(Seed());
  int refused = 0, read = 0, payloads = 0;
  for (int round = 0; round < 25'000; ++round) {
    SCOPED_TRACE(round);
    JobRecord record = random.New();
    if (random.Chance()) random.Ended(&record);
    Parts parts = PartsOf(record);
    std::vector<std::pair<Part, std::string*>> all = {{kSpec, &parts.spec}, {kState, &parts.state}};
    if (parts.payload) all.emplace_back(kPayload, &*parts.payload);
    const auto [part, hit] = all[random.Below(all.size())];
    const std::string donor = *all[random.Below(all.size())].second;
    Mutate(random, donor, hit);
    Seal(part, KeyOf(record.id), hit);
    Result<JobRecord> job = Decode(record.id, parts);
    Result<JobRecord> basic = Decode(record.id, parts, Journal::Part::kBasic);
    ASSERT_EQ(basic.status().ToString(), job.status().ToString());
    if (!job.ok()) {
      ++refused;
      ASSERT_EQ(job.status().reason(), "STORE_DAMAGED") << job.status().ToString();
      continue;
    }
    ++read;
    if (part == kPayload) {
      ++payloads;
      ASSERT_EQ(PayloadOf(*job->spec), parts.payload->substr(kHeader));
    }
    // Written again and read again it is the same.
    Result<JobRecord> again = Decode(record.id, PartsOf(*job));
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    ASSERT_EQ(test::Print(*again), test::Print(*job));
    // Nothing but these two may be left out, where the payload is given.
    basic->result = job->result;
    basic->log_tail = job->log_tail;
    ASSERT_EQ(test::Print(*basic), test::Print(*job));
  }
  EXPECT_GT(refused, 2000);
  EXPECT_GT(read, 2000);
  EXPECT_GT(payloads, 100);
}

TEST(RecordFuzz, RandomBytesAreNoJob) {
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(Seed()));
  RandomRecords random(Seed());
  JobRecord record = random.New();
  while (!SpecOf(record).payload_apart()) record = random.New();
  const Parts parts = PartsOf(record);
  const std::string key = KeyOf(record.id), ended = KeyOfEnded(EndedOf(record));
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random.Text(200);
    if (!bytes.empty() && random.Chance()) bytes[0] = static_cast<char>(kRecordVersion);
    for (Journal::Part part : {Journal::Part::kBasic, Journal::Part::kWhole}) {
      ASSERT_FALSE(Decode(record.id, {bytes, parts.state, parts.payload}, part).ok());
      ASSERT_FALSE(Decode(record.id, {parts.spec, bytes, parts.payload}, part).ok());
      ASSERT_FALSE(Decode(record.id, {parts.spec, parts.state, bytes}, part).ok());
    }
    ASSERT_FALSE(DecodeRequest("r", Exactly(bytes).view()).ok());
    ASSERT_FALSE(DecodeEnded(ended, Exactly(bytes).view()).ok());
    // A right checksum makes it no better.
    Seal(kPayload, key, &bytes);
    ASSERT_FALSE(Decode(record.id, {parts.spec, parts.state, bytes}).ok()) << "it is too short";
    Seal(kState, key, &bytes);
    if (Result<JobRecord> job = Decode(record.id, {parts.spec, bytes, parts.payload}); job.ok()) {
      ASSERT_TRUE(Decode(record.id, PartsOf(*job)).ok());
    }
    Seal(kEnded, ended, &bytes);
    if (Result<EndedJob> job = DecodeEnded(ended, Exactly(bytes).view()); job.ok()) {
      ASSERT_EQ(KeyOfEnded(*job), ended);
    }
  }
}

TEST(RecordFuzz, AMutatedEndedRecordIsAnErrorOrAnEnd) {
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(Seed()));
  RandomRecords random(Seed());
  int refused = 0, read = 0;
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(round);
    JobRecord record = random.New();
    random.Ended(&record);
    EndedJob ended = EndedOf(record);
    ended.bytes = static_cast<int64_t>(random.Number());  // Any length.
    // Any 24 bytes are a key, and nothing else is.
    const std::string key = random.Chance() ? KeyOfEnded(ended) : random.Text(30);
    std::string bytes = EncodeEnded(ended);
    Mutate(random, bytes, &bytes);
    Seal(kEnded, key, &bytes);
    Result<EndedJob> job = DecodeEnded(Exactly(key).view(), Exactly(bytes).view());
    if (!job.ok()) {
      ++refused;
      ASSERT_EQ(job.status().reason(), "STORE_DAMAGED") << job.status().ToString();
      continue;
    }
    ++read;
    ASSERT_EQ(KeyOfEnded(*job), key);
    Result<EndedJob> again = DecodeEnded(key, EncodeEnded(*job));
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    ASSERT_EQ(*again, *job);
  }
  EXPECT_GT(refused, 2000);
  EXPECT_GT(read, 300);
}

TEST(RecordFuzz, AMutatedRequestRecordIsAnErrorOrARequest) {
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(Seed()));
  RandomRecords random(Seed());
  for (int round = 0; round < 20'000; ++round) {
    const dispatch::SpentRequest request{
        "id", {random.Number(), random.Number()}, random.Number(), JobState::kFailed, random.Wall()};
    std::string bytes = EncodeRequest(request);
    Mutate(random, bytes, &bytes);
    Seal(kRequest, "id", &bytes);
    Result<dispatch::SpentRequest> read = DecodeRequest("id", Exactly(bytes).view());
    if (!read.ok()) continue;
    Result<dispatch::SpentRequest> again = DecodeRequest("id", EncodeRequest(*read));
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(*again, *read);
  }
}

}  // namespace
}  // namespace millrace::store
