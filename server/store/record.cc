#define XXH_INLINE_ALL
#include "store/record.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <utility>

#include "job/fingerprint.h"
#include "store/codec.h"
#include "store/spec_codec.h"

namespace millrace::store {

namespace {

using dispatch::EndedJob;
using dispatch::JobRecord;
using dispatch::Journal;
using dispatch::SpentRequest;

// What a record is part of; in the checksum only.
enum class Part : uint8_t { kSpec = 1, kState = 2, kRequest = 3, kPayload = 4, kEnded = 5, kResult = 6 };

constexpr size_t kChecksumBytes = 8;
constexpr size_t kHeaderBytes = 1 + kChecksumBytes;

// The fingerprint and the size of the payload, which came with version 3, lie behind the fields of a spec that are as
// old or older, and before those that came later.
constexpr uint8_t kSpecFieldsBefore = 2;

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

struct Body {
  uint8_t version;
  std::string_view bytes;
};
// The body, once it is known to be what Seal was given.
Result<Body> Open(Part part, std::string_view key, std::string_view record, const std::string& whose) {
  if (record.size() < kHeaderBytes) return Damaged(whose, "it is too short");
  const uint8_t version = static_cast<uint8_t>(record[0]);
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
  return Body{version, body};
}

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

bool ReadSpec(uint8_t version, Reader& reader, JobRecord* record) {
  auto spec = std::make_shared<JobSpec>();
  record->request_id = reader.Text();
  record->created = reader.Time();
  ReadSpecFields(1, std::min(version, kSpecFieldsBefore), reader, spec.get());
  if (version >= 3) {
    record->fingerprint = reader.Fixed();
    record->payload_bytes = reader.Signed();
    ReadSpecFields(kSpecFieldsBefore + 1, version, reader, spec.get());
  }
  const auto rest = static_cast<int64_t>(reader.rest().size());
  if (version < 3) record->payload_bytes = rest;
  spec->payload = reader.Shared(reader.rest().size());
  if (version < 3 && !record->request_id.empty()) record->fingerprint = Fingerprint(*spec);
  record->spec = std::move(spec);
  return reader.ok() && (rest == record->payload_bytes || rest == 0) && record->payload_bytes >= 0;
}

bool ReadState(uint8_t version, Reader& reader, Journal::Part part, JobRecord* record) {
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
  if (version >= 4) record->deadline_waived = reader.Flag();
  const uint64_t checkpoint_bytes = version >= 6 ? reader.Number() : 0;
  const uint64_t result_bytes = reader.Number();
  if (result_bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  record->result_bytes = static_cast<int64_t>(result_bytes);
  record->checkpoint = reader.Shared(checkpoint_bytes);
  const uint64_t here = dispatch::ResultApart(*record) ? 0 : result_bytes;
  if (part == Journal::Part::kBasic) {
    reader.Take(here);
    return reader.ok();
  }
  record->result = reader.Shared(here);
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

SpecPart SpecOf(const JobRecord& record) {
  return {record.spec, record.request_id, record.fingerprint, record.created};
}

std::string EncodeSpec(const JobId& id, const SpecPart& part) {
  const JobSpec& spec = *part.spec;
  std::string head;
  Writer writer(&head);
  writer.Text(part.request_id);
  writer.Time(part.created);
  WriteSpecFields(spec, 1, kSpecFieldsBefore, writer);
  writer.Fixed(part.fingerprint);
  writer.Signed(static_cast<int64_t>(PayloadOf(spec).size()));
  WriteSpecFields(spec, kSpecFieldsBefore + 1, kRecordVersion, writer);
  return Seal(Part::kSpec, KeyOf(id), {head, part.payload_apart() ? std::string_view() : PayloadOf(spec)});
}

std::string EncodePayload(const JobId& id, const SpecPart& part) {
  return Seal(Part::kPayload, KeyOf(id), {PayloadOf(*part.spec)});
}

StatePart PrepareState(const JobRecord& record) {
  StatePart part{.head = {},
                 .checkpoint = record.checkpoint,
                 .result = dispatch::ResultApart(record) ? nullptr : record.result,
                 .log_tail = record.log_tail};
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
  writer.Flag(record.deadline_waived);
  writer.Number(SizeOf(record.checkpoint));
  writer.Number(static_cast<uint64_t>(record.result_bytes));
  return part;
}

std::string EncodeState(const JobId& id, const StatePart& part) {
  return Seal(Part::kState, KeyOf(id),
              {part.head, ViewOf(part.checkpoint), ViewOf(part.result), ViewOf(part.log_tail)});
}

std::string EncodeResult(const JobId& id, const Bytes& result) {
  return Seal(Part::kResult, KeyOf(id), {ViewOf(result)});
}

Result<Bytes> DecodeResult(const JobId& id, std::string record, int64_t bytes) {
  const std::string whose = "job " + id.ToString();
  Result<Body> body = Open(Part::kResult, KeyOf(id), record, whose);
  if (!body.ok()) return body.status();
  if (static_cast<int64_t>(body->bytes.size()) != bytes) {
    return Damaged(whose, "the result has another size than the state says");
  }
  record.erase(0, kHeaderBytes);  // Not a copy, which may be 64 MiB.
  return MakeBytes(std::move(record));
}

Result<JobRecord> DecodeJob(const JobId& id, const JobBytes& bytes, Journal::Part part) {
  const std::string key = KeyOf(id), whose = "job " + id.ToString();
  Result<Body> spec = Open(Part::kSpec, key, bytes.spec, whose);
  if (!spec.ok()) return spec.status();
  Result<Body> state = Open(Part::kState, key, bytes.state, whose);
  if (!state.ok()) return state.status();
  JobRecord record;
  record.id = id;
  Reader spec_reader(spec->bytes), state_reader(state->bytes);
  if (!ReadSpec(spec->version, spec_reader, &record)) return Damaged(whose, "the spec cannot be read");
  if (!ReadState(state->version, state_reader, part, &record)) return Damaged(whose, "the state cannot be read");
  if (!bytes.payload || record.payload_bytes == 0 || record.spec->payload) return record;
  Result<Body> payload = Open(Part::kPayload, key, *bytes.payload, whose);
  if (!payload.ok()) return payload.status();
  if (static_cast<int64_t>(payload->bytes.size()) != record.payload_bytes) {
    return Damaged(whose, "the payload has another size than the spec says");
  }
  auto whole = std::make_shared<JobSpec>(*record.spec);
  whole->payload = MakeBytes(std::string(payload->bytes));
  record.spec = std::move(whole);
  return record;
}

std::string KeyOfEnded(const EndedJob& job) {
  // The sign bit turned: times before 1970 come first.
  const uint64_t finished = static_cast<uint64_t>(job.finished.time_since_epoch().count()) ^ uint64_t { 1 } << 63;
  std::string key;
  key.reserve(24);
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(finished >> shift));
  return key += KeyOf(job.id);
}

std::string EncodeEnded(const EndedJob& job) {
  std::string body;
  Writer writer(&body);
  writer.Enum(job.state);
  writer.Signed(job.bytes);
  return Seal(Part::kEnded, KeyOfEnded(job), {body});
}

Result<EndedJob> DecodeEnded(std::string_view key, std::string_view bytes) {
  const std::optional<JobId> id = key.size() == 24 ? IdOf(key.substr(8)) : std::nullopt;
  if (!id) return Damaged("a job that has ended", "its key is none");
  const std::string whose = "the end of job " + id->ToString();
  Result<Body> body = Open(Part::kEnded, key, bytes, whose);
  if (!body.ok()) return body.status();
  uint64_t finished = 0;
  for (size_t i = 0; i < 8; ++i) finished = finished << 8 | static_cast<uint8_t>(key[i]);
  Reader reader(body->bytes);
  EndedJob job{.id = *id, .finished = WallTime(Nanos(static_cast<int64_t>(finished ^ uint64_t{1} << 63)))};
  job.state = reader.Enum(JobState::kQuarantined);
  job.bytes = reader.Signed();
  if (!reader.ok() || !reader.rest().empty() || !IsTerminal(job.state)) return Damaged(whose, "it cannot be read");
  return job;
}

std::string EncodeRequest(const SpentRequest& request) {
  std::string body;
  Writer writer(&body);
  writer.Fixed(request.job.high);
  writer.Fixed(request.job.low);
  writer.Optional(request.fingerprint);
  writer.Enum(request.final_state);
  writer.Optional(request.until);
  return Seal(Part::kRequest, request.request_id, {body});
}

Result<SpentRequest> DecodeRequest(std::string_view request_id, std::string_view bytes) {
  const std::string whose = "request id '" + std::string(request_id) + "'";
  Result<Body> body = Open(Part::kRequest, request_id, bytes, whose);
  if (!body.ok()) return body.status();
  Reader reader(body->bytes);
  SpentRequest request{.request_id = std::string(request_id)};
  request.job.high = reader.Fixed();
  request.job.low = reader.Fixed();
  if (body->version == 1) {
    reader.Fixed();  // Differs from build to build.
  } else {
    request.fingerprint = reader.Optional([&] { return reader.Fixed(); });
  }
  request.final_state = reader.Enum(JobState::kQuarantined);
  auto time = [&] { return reader.Time(); };
  request.until = body->version < 3 ? time() : reader.Optional(time);
  if (!reader.ok() || !reader.rest().empty()) return Damaged(whose, "it cannot be read");
  return request;
}

}  // namespace millrace::store
