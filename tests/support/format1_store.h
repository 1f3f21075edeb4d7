// A store as the daemons of format 1 left it (server/store/FORMAT.md).
#pragma once

#define XXH_INLINE_ALL
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <xxhash.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "job/fingerprint.h"
#include "store/codec.h"
#include "store/rocks/rocks_disk.h"
#include "tests/support/job_records.h"

namespace millrace::test {

// Opens the store in `folder` with RocksDB alone, and its shelves by name.
class BareStore {
 public:
  explicit BareStore(const std::string& folder) {
    std::vector<std::string> names;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, folder, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const std::string& name : names) descriptors.emplace_back(name, rocksdb::ColumnFamilyOptions());
    EXPECT_TRUE(rocksdb::DB::Open({}, folder, descriptors, &shelves_, &db_).ok());
  }
  ~BareStore() {
    for (rocksdb::ColumnFamilyHandle* shelf : shelves_) db_->DestroyColumnFamilyHandle(shelf);
    delete db_;
  }
  BareStore(const BareStore&) = delete;
  BareStore& operator=(const BareStore&) = delete;

  void SetFormat(const std::string& format) { EXPECT_TRUE(db_->Put({}, "format", format).ok()); }
  void Make(const std::string& name) {
    shelves_.push_back(nullptr);
    EXPECT_TRUE(db_->CreateColumnFamily({}, name, &shelves_.back()).ok());
  }
  void Drop(const std::string& name) {
    for (rocksdb::ColumnFamilyHandle* shelf : shelves_) {
      if (shelf->GetName() == name) {
        EXPECT_TRUE(db_->DropColumnFamily(shelf).ok());
      }
    }
  }

 private:
  std::vector<rocksdb::ColumnFamilyHandle*> shelves_;
  rocksdb::DB* db_ = nullptr;
};

// One job in three waits, one has ended, and one was retried after it had ended.
struct Format1Store {
  std::map<JobId, dispatch::JobRecord> jobs;
  std::map<std::string, dispatch::SpentRequest> requests;  // As format 2 has them.

  // `folder` is made.
  Format1Store(const std::string& folder, int count) {
    Fill(folder, count);
    BareStore store(folder);
    store.SetFormat("1");
    for (const char* later : {"payload", "ended", "result"}) store.Drop(later);
  }

 private:
  static std::string Seal(char part, const std::string& key, const std::string& body) {
    const std::string about = std::string{part, '\1'} + key;
    const uint64_t checksum = XXH3_64bits_withSeed(body.data(), body.size(), XXH3_64bits(about.data(), about.size()));
    std::string record(9, '\1');
    memcpy(&record[1], &checksum, 8);
    return record + body;
  }
  // With the payload, and without a fingerprint.
  static std::string Spec(const dispatch::JobRecord& record) {
    store::SpecPart part = store::SpecOf(record);
    auto bare = std::make_shared<JobSpec>(*part.spec);
    bare->payload = nullptr;
    part.spec = bare;
    // Its last 13 bytes: no unique key, fingerprint, a size of 0, no trace, no labels of a worker.
    const std::string now = store::EncodeSpec(record.id, part);
    return Seal('\1', store::KeyOf(record.id), now.substr(9, now.size() - 22) + std::string(PayloadOf(*record.spec)));
  }
  static std::string State(const dispatch::JobRecord& record) {
    store::StatePart part = store::PrepareState(record);
    // Before the size of the result, with which this part ends: a flag that is not set, and a checkpoint of no bytes.
    size_t size_bytes = 1;
    for (size_t rest = part.result ? part.result->size() >> 7 : 0; rest > 0; rest >>= 7) ++size_bytes;
    part.head.erase(part.head.size() - size_bytes - 2, 2);
    return Seal('\2', store::KeyOf(record.id), store::EncodeState(record.id, part).substr(9));
  }
  static std::string Request(const dispatch::SpentRequest& request) {
    std::string body;
    store::Writer writer(&body);
    writer.Fixed(request.job.high);
    writer.Fixed(request.job.low);
    writer.Fixed(12345);  // A fingerprint that nobody can compute any more.
    writer.Enum(request.final_state);
    writer.Time(*request.until);
    return Seal('\3', request.request_id, body);
  }

  void Fill(const std::string& folder, int count) {
    auto disk = store::OpenRocksDisk(folder);
    ASSERT_TRUE(disk.ok());
    std::vector<store::Change> changes;
    auto put = [&](store::Shelf shelf, const std::string& key, std::string value) {
      changes.push_back({store::Change::Kind::kPut, shelf, key, std::move(value)});
    };
    RandomRecords random(11);
    for (int i = 0; i < count; ++i) {
      dispatch::JobRecord record = random.New();
      const std::string key = store::KeyOf(record.id);
      auto spec = std::make_shared<JobSpec>(*record.spec);
      spec->unique_key.reset();
      spec->trace = Trace();
      spec->placement = {};
      record.spec = spec;
      record.request_id = i % 2 == 0 ? "" : "request " + std::to_string(i);
      record.fingerprint = i % 2 == 0 ? 0 : Fingerprint(*record.spec);
      put(store::Shelf::kSpec, key, Spec(record));
      if (i % 3 != 0) {
        random.Ended(&record);
        record.checkpoint = nullptr;
        put(store::Shelf::kFinished, key, State(record));
      }
      if (i % 3 != 1) {  // With both it was retried, and lives.
        random.Live(&record);
        record.checkpoint = nullptr;
        put(store::Shelf::kLive, key, State(record));
      } else if (!record.request_id.empty()) {
        requests[record.request_id] = {record.request_id, record.id, record.fingerprint, record.life.state,
                                       std::nullopt};
      }
      record.deadline_waived = false;  // Nobody knew of that.
      jobs[record.id] = record;
    }
    const dispatch::SpentRequest spent{.request_id = "spent", .job = {1, 2}, .until = WallTime(Nanos(5))};
    requests[spent.request_id] = spent;
    put(store::Shelf::kRequests, spent.request_id, Request(spent));
    ASSERT_TRUE((*disk)->Write(changes).ok());
    ASSERT_TRUE((*disk)->Sync().ok());
  }
};

}  // namespace millrace::test
