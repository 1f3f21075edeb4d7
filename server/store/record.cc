#define XXH_INLINE_ALL
#include "store/record.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <initializer_list>
#include <type_traits>
#include <utility>

namespace millrace::store {

namespace {

using dispatch::JobRecord;
using dispatch::SpentRequest;

// What a record is part of; in the checksum only.
enum class Part : uint8_t { kSpec = 1, kState = 2, kRequest = 3 };

constexpr size_t kChecksumBytes = 8;
constexpr size_t kHeaderBytes = 1 + kChecksumBytes;

void AppendFixed64(uint64_t value, std::string* out) {
  for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t ReadFixed64(std::string_view bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[static_cast<size_t>(i)])} << (8 * i);
  return value;
}

uint64_t Checksum(Part part, std::string_view key, uint8_t version, std::string_view body) {
  // The body alone may be long; the rest decides the seed.
  std::string about{static_cast<char>(part), static_cast<char>(version)};
  about += key;
  return XXH3_64bits_withSeed(body.data(), body.size(), XXH3_64bits(about.data(), about.size()));
}

// version, checksum, body.
std::string Seal(Part part, std::string_view key, std::initializer_list<std::string_view> pieces) {
  size_t size = kHeaderBytes;
  for (std::string_view piece : pieces) size += piece.size();
  std::string record;
  record.reserve(size);
  record.push_back(static_cast<char>(kRecordVersion));
  record.append(kChecksumBytes, '\0');
  for (std::string_view piece : pieces) record += piece;
  std::string checksum;
  AppendFixed64(Checksum(part, key, kRecordVersion, std::string_view(record).substr(kHeaderBytes)), &checksum);
  record.replace(1, kChecksumBytes, checksum);
  return record;
}

Status Damaged(const std::string& whose, const char* what) {
  return Internal("STORE_DAMAGED", "the store's record of " + whose + " is damaged (" + what +
                                       "); restore the folder from a copy, or move it away to begin with none");
}

// Of one that is not empty.
uint8_t VersionOf(std::string_view record) { return static_cast<uint8_t>(record[0]); }

// The body, once it is known to be what Seal was given.
Result<std::string_view> Open(Part part, std::string_view key, std::string_view record, const std::string& whose) {
  if (record.size() < kHeaderBytes) return Damaged(whose, "it is too short");
  const uint8_t version = VersionOf(record);
  const std::string_view body = record.substr(kHeaderBytes);
  if (ReadFixed64(record.substr(1)) != Checksum(part, key, version, body))
    return Damaged(whose, "the checksum differs");
  // The checksum is the same in every version, so a version that is wrong was written, not made by damage.
  if (version > kRecordVersion) {
    return FailedPrecondition("STORE_TOO_NEW", "the store's record of " + whose + " has version " +
                                                   std::to_string(version) + ", this daemon reads up to " +
                                                   std::to_string(kRecordVersion) + "; run a newer daemon");
  }
  if (version == 0) return Damaged(whose, "there was never a version 0");
  return body;
}

class Writer {
 public:
  explicit Writer(std::string* out) : out_(*out) {}

  void Number(uint64_t value) {  // LEB128
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  void Signed(int64_t value) {  // Zigzag, so that small negative ones are short too.
    Number(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void Fixed(uint64_t value) { AppendFixed64(value, &out_); }
  void Flag(bool value) { out_.push_back(value ? '\1' : '\0'); }
  void Text(std::string_view text) {
    Number(text.size());
    out_ += text;
  }
  template <typename E>
  void Enum(E value) {
    out_.push_back(static_cast<char>(value));
  }
  void Time(WallTime time) { Signed(time.time_since_epoch().count()); }
  void Time(Nanos time) { Signed(time.count()); }
  void Double(double value) { Fixed(std::bit_cast<uint64_t>(value)); }
  template <typename T>
  void Optional(const std::optional<T>& value) {
    Flag(value.has_value());
    if (!value) return;
    if constexpr (std::is_same_v<T, int>) {
      Signed(*value);
    } else if constexpr (std::is_same_v<T, double>) {
      Double(*value);
    } else if constexpr (std::is_same_v<T, uint64_t>) {
      Fixed(*value);
    } else {
      Time(*value);
    }
  }

 private:
  std::string& out_;
};

// Reads what Writer wrote. After anything that does not fit it is not ok and every further value is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

  uint64_t Number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  int64_t Signed() {
    const uint64_t value = Number();
    return static_cast<int64_t>(value >> 1 ^ -(value & 1));
  }
  int Int() {
    const int64_t value = Signed();
    return std::in_range<int>(value) ? static_cast<int>(value) : static_cast<int>(Fail());
  }
  uint64_t Fixed() {
    const std::string_view bytes = Take(8);
    return ok_ ? ReadFixed64(bytes) : 0;
  }
  double Double() { return std::bit_cast<double>(Fixed()); }
  bool Flag() {
    const uint8_t byte = Byte();
    return byte <= 1 ? byte == 1 : Fail() != 0;
  }
  std::string_view Text() { return Take(Number()); }
  template <typename E>
  E Enum(E last) {
    const uint8_t byte = Byte();
    return static_cast<E>(byte <= static_cast<uint8_t>(last) ? byte : Fail());
  }
  WallTime Time() { return WallTime(Nanos(Signed())); }
  std::string_view Take(uint64_t size) {
    if (!ok_ || size > rest_.size()) return Fail(), std::string_view();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  Bytes Shared(uint64_t size) {
    const std::string_view bytes = Take(size);
    return bytes.empty() ? nullptr : MakeBytes(std::string(bytes));
  }
  template <typename Read>
  auto Optional(Read read) -> std::optional<decltype(read())> {
    if (!Flag()) return std::nullopt;
    return read();
  }

 private:
  uint8_t Byte() {
    const std::string_view one = Take(1);
    return ok_ ? static_cast<uint8_t>(one[0]) : 0;
  }
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

size_t SizeOf(const Bytes& bytes) { return bytes ? bytes->size() : 0; }
std::string_view ViewOf(const Bytes& bytes) { return bytes ? std::string_view(*bytes) : std::string_view(); }

void WriteAttempt(const Attempt& attempt, Writer& writer) {
  writer.Signed(attempt.number);
  writer.Time(attempt.start);
  writer.Optional(attempt.end);
  writer.Text(attempt.worker);
  writer.Enum(attempt.result);
  writer.Text(attempt.error);
  writer.Signed(attempt.exit_code);
  const AttemptTimings& timings = attempt.timings;
  for (Nanos time :
       {timings.queued, timings.run, timings.cpu, timings.runnable, timings.blocked_inside, timings.blocked_outside}) {
    writer.Time(time);
  }
}

Attempt ReadAttempt(Reader& reader) {
  Attempt attempt;
  attempt.number = reader.Int();
  attempt.start = reader.Time();
  attempt.end = reader.Optional([&] { return reader.Time(); });
  attempt.worker = reader.Text();
  attempt.result = reader.Enum(AttemptResult::kReleased);
  attempt.error = reader.Text();
  attempt.exit_code = reader.Int();
  AttemptTimings& timings = attempt.timings;
  for (Nanos* time : {&timings.queued, &timings.run, &timings.cpu, &timings.runnable, &timings.blocked_inside,
                      &timings.blocked_outside}) {
    *time = Nanos(reader.Signed());
  }
  return attempt;
}

bool ReadSpec(Reader& reader, uint8_t version, JobRecord* record) {
  auto spec = std::make_shared<JobSpec>();
  record->request_id = reader.Text();
  record->created = reader.Time();
  spec->pool = reader.Text();
  spec->kind = reader.Text();
  spec->band = reader.Enum(Band::kLow);
  spec->delay = reader.Optional([&] { return Nanos(reader.Signed()); });
  spec->run_at = reader.Optional([&] { return reader.Time(); });
  spec->run_timeout = reader.Optional([&] { return Nanos(reader.Signed()); });
  spec->deadline = reader.Optional([&] { return reader.Time(); });
  spec->retry.max_attempts = reader.Optional([&] { return reader.Int(); });
  spec->retry.initial_backoff = reader.Optional([&] { return Nanos(reader.Signed()); });
  spec->retry.max_backoff = reader.Optional([&] { return Nanos(reader.Signed()); });
  spec->retry.multiplier = reader.Optional([&] { return reader.Double(); });
  spec->no_retry_after_start = reader.Flag();
  for (uint64_t labels = reader.Number(); labels > 0 && reader.ok(); --labels) {
    std::string name(reader.Text());
    spec->labels.emplace(std::move(name), reader.Text());
  }
  if (version >= 2 && reader.Flag()) {
    UniqueKey& unique = spec->unique_key.emplace();
    unique.key = reader.Text();
    unique.scope = reader.Enum(UniqueScope::kWhileUnfinished);
    unique.on_taken = reader.Enum(OnTaken::kReject);
  }
  spec->payload = reader.Shared(reader.rest().size());
  record->spec = std::move(spec);
  return reader.ok();
}

bool ReadState(Reader& reader, JobRecord* record) {
  record->life.state = reader.Enum(JobState::kQuarantined);
  record->life.claim.attempt = reader.Int();
  record->life.claim.token = reader.Fixed();
  record->due = reader.Optional([&] { return reader.Time(); });
  record->finished = reader.Optional([&] { return reader.Time(); });
  record->attempts = reader.Int();
  record->losses = reader.Int();
  record->cancel_requested = reader.Flag();
  record->error = reader.Text();
  const uint64_t attempts = reader.Number();
  if (attempts > static_cast<uint64_t>(kAttemptsKept)) return false;
  for (uint64_t i = 0; i < attempts && reader.ok(); ++i) record->history.push_back(ReadAttempt(reader));
  if (reader.Flag()) {
    Progress& progress = record->progress.emplace();
    progress.fraction = reader.Double();
    progress.message = reader.Text();
    progress.updated = reader.Time();
  }
  record->log_bytes = reader.Signed();
  const uint64_t result_bytes = reader.Number();
  record->result = reader.Shared(result_bytes);
  record->log_tail = reader.Shared(reader.rest().size());
  return reader.ok();
}

}  // namespace

std::string KeyOf(const JobId& id) {
  std::string key;
  key.reserve(16);
  for (uint64_t half : {id.high, id.low}) {
    for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(half >> shift));
  }
  return key;
}

std::optional<JobId> IdOf(std::string_view key) {
  if (key.size() != 16) return std::nullopt;
  std::array<uint64_t, 2> halves{};
  for (size_t i = 0; i < 16; ++i) halves[i / 8] = halves[i / 8] << 8 | static_cast<uint8_t>(key[i]);
  return JobId{halves[0], halves[1]};
}

std::string EncodeSpec(const JobId& id, const SpecPart& part) {
  const JobSpec& spec = *part.spec;
  std::string head;
  Writer writer(&head);
  writer.Text(part.request_id);
  writer.Time(part.created);
  writer.Text(spec.pool);
  writer.Text(spec.kind);
  writer.Enum(spec.band);
  writer.Optional(spec.delay);
  writer.Optional(spec.run_at);
  writer.Optional(spec.run_timeout);
  writer.Optional(spec.deadline);
  writer.Optional(spec.retry.max_attempts);
  writer.Optional(spec.retry.initial_backoff);
  writer.Optional(spec.retry.max_backoff);
  writer.Optional(spec.retry.multiplier);
  writer.Flag(spec.no_retry_after_start);
  writer.Number(spec.labels.size());
  for (const auto& [name, value] : spec.labels) {
    writer.Text(name);
    writer.Text(value);
  }
  writer.Flag(spec.unique_key.has_value());
  if (spec.unique_key) {
    writer.Text(spec.unique_key->key);
    writer.Enum(spec.unique_key->scope);
    writer.Enum(spec.unique_key->on_taken);
  }
  return Seal(Part::kSpec, KeyOf(id), {head, PayloadOf(spec)});
}

StatePart PrepareState(const JobRecord& record) {
  StatePart part{.result = record.result, .log_tail = record.log_tail};
  part.head.reserve(256);
  Writer writer(&part.head);
  writer.Enum(record.life.state);
  writer.Signed(record.life.claim.attempt);
  writer.Fixed(record.life.claim.token);
  writer.Optional(record.due);
  writer.Optional(record.finished);
  writer.Signed(record.attempts);
  writer.Signed(record.losses);
  writer.Flag(record.cancel_requested);
  writer.Text(record.error);
  writer.Number(record.history.size());
  for (const Attempt& attempt : record.history) WriteAttempt(attempt, writer);
  writer.Flag(record.progress.has_value());
  if (record.progress) {
    writer.Double(record.progress->fraction);
    writer.Text(record.progress->message);
    writer.Time(record.progress->updated);
  }
  writer.Signed(record.log_bytes);
  writer.Number(SizeOf(record.result));
  return part;
}

std::string EncodeState(const JobId& id, const StatePart& part) {
  return Seal(Part::kState, KeyOf(id), {part.head, ViewOf(part.result), ViewOf(part.log_tail)});
}

Result<JobRecord> DecodeJob(const JobId& id, std::string_view spec, std::string_view state) {
  const std::string key = KeyOf(id), whose = "job " + id.ToString();
  Result<std::string_view> spec_body = Open(Part::kSpec, key, spec, whose);
  if (!spec_body.ok()) return spec_body.status();
  Result<std::string_view> state_body = Open(Part::kState, key, state, whose);
  if (!state_body.ok()) return state_body.status();
  JobRecord record;
  record.id = id;
  Reader spec_reader(*spec_body), state_reader(*state_body);
  if (!ReadSpec(spec_reader, VersionOf(spec), &record)) return Damaged(whose, "the spec cannot be read");
  if (!ReadState(state_reader, &record)) return Damaged(whose, "the state cannot be read");
  return record;
}

std::string EncodeRequest(const SpentRequest& request) {
  std::string body;
  Writer writer(&body);
  writer.Fixed(request.job.high);
  writer.Fixed(request.job.low);
  writer.Optional(request.fingerprint);
  writer.Enum(request.final_state);
  writer.Time(request.until);
  return Seal(Part::kRequest, request.request_id, {body});
}

Result<SpentRequest> DecodeRequest(std::string_view request_id, std::string_view bytes) {
  const std::string whose = "request id '" + std::string(request_id) + "'";
  Result<std::string_view> body = Open(Part::kRequest, request_id, bytes, whose);
  if (!body.ok()) return body.status();
  Reader reader(*body);
  SpentRequest request{.request_id = std::string(request_id)};
  request.job.high = reader.Fixed();
  request.job.low = reader.Fixed();
  if (VersionOf(bytes) == 1) {
    reader.Fixed();  // Differs from build to build.
  } else {
    request.fingerprint = reader.Optional([&] { return reader.Fixed(); });
  }
  request.final_state = reader.Enum(JobState::kQuarantined);
  request.until = reader.Time();
  if (!reader.ok() || !reader.rest().empty()) return Damaged(whose, "it cannot be read");
  return request;
}

}  // namespace millrace::store
