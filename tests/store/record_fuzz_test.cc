// Records that nobody wrote: an error, or a job whose bytes say the same again; never a crash, and never an allocation that the bytes
// talked us into. The checksum would stop nearly all of them, so here it is made right.
#define XXH_INLINE_ALL
#include <gtest/gtest.h>
#include <xxhash.h>

#include <cstring>

#include "store/record.h"
#include "tests/support/job_records.h"

namespace millrace::store {
namespace {

using dispatch::JobRecord;
using test::RandomRecords;

constexpr size_t kHeader = 9;  // Version and checksum (FORMAT.md).
enum Part : char { kSpec = 1, kState = 2, kRequest = 3 };

void Seal(Part part, const std::string& key, std::string* record) {
  if (record->size() < kHeader) return;
  const std::string about = std::string{part, (*record)[0]} + key;
  const uint64_t seed = XXH3_64bits(about.data(), about.size());
  const uint64_t checksum = XXH3_64bits_withSeed(record->data() + kHeader, record->size() - kHeader, seed);
  memcpy(record->data() + 1, &checksum, sizeof(checksum));
}

// Of the body. Numbers that are the end of something are more interesting than others.
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

Result<JobRecord> Decode(const JobId& id, const std::string& spec, const std::string& state) {
  const Exactly one(spec), other(state);
  return DecodeJob(id, {one.view(), other.view()});
}
std::string SpecBytes(const JobRecord& record) { return EncodeSpec(record.id, SpecOf(record)); }
std::string StateBytes(const JobRecord& record) { return EncodeState(record.id, PrepareState(record)); }

unsigned Seed() {
  return getenv("MILLRACE_SEED") != nullptr ? static_cast<unsigned>(atoi(getenv("MILLRACE_SEED"))) : 1;
}

TEST(RecordFuzz, AMutatedRecordWithARightChecksumIsAnErrorOrAJobThatCanBeWritten) {
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(Seed()));
  RandomRecords random(Seed());
  int refused = 0, read = 0;
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(round);
    JobRecord record = random.New();
    if (random.Chance()) random.Ended(&record);
    std::string spec = SpecBytes(record), state = StateBytes(record);
    const bool hit_spec = random.Chance();
    std::string& hit = hit_spec ? spec : state;
    Mutate(random, hit_spec ? state : spec, &hit);
    Seal(hit_spec ? kSpec : kState, KeyOf(record.id), &hit);
    Result<JobRecord> job = Decode(record.id, spec, state);
    if (!job.ok()) {
      ++refused;
      ASSERT_EQ(job.status().reason(), "STORE_DAMAGED") << job.status().ToString();
      continue;
    }
    ++read;
    // Written again and read again it is the same.
    Result<JobRecord> again = Decode(record.id, SpecBytes(*job), StateBytes(*job));
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    ASSERT_EQ(test::Print(*again), test::Print(*job));
  }
  EXPECT_GT(refused, 2000);
  EXPECT_GT(read, 2000);
}

TEST(RecordFuzz, RandomBytesAreNoJob) {
  SCOPED_TRACE("MILLRACE_SEED=" + std::to_string(Seed()));
  RandomRecords random(Seed());
  const JobRecord record = random.New();
  const std::string spec = SpecBytes(record), state = StateBytes(record);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random.Text(200);
    if (!bytes.empty() && random.Chance()) bytes[0] = static_cast<char>(kRecordVersion);
    ASSERT_FALSE(Decode(record.id, bytes, state).ok());
    ASSERT_FALSE(Decode(record.id, spec, bytes).ok());
    ASSERT_FALSE(DecodeRequest("r", Exactly(bytes).view()).ok());
    // A right checksum makes it no better.
    Seal(kState, KeyOf(record.id), &bytes);
    if (Result<JobRecord> job = Decode(record.id, spec, bytes); job.ok()) {
      ASSERT_TRUE(Decode(record.id, SpecBytes(*job), StateBytes(*job)).ok());
    }
  }
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
