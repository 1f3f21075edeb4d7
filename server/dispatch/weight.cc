#include "dispatch/weight.h"

#include <type_traits>

#include "dispatch/dispatcher.h"
#include "job/spec_fields.h"

namespace millrace::dispatch {

namespace {

constexpr int64_t kAllocated = 16;  // The allocator's word before each piece, and its rounding.

// A node of a hash table with a string and an Entry, its bucket, and its place among those that leave.
constexpr int64_t kRequestIdBytes = 144;
// A node with a digest and an id, and its bucket.
constexpr int64_t kUniqueKeyBytes = 64;

int64_t SizeOf(const Bytes& bytes) { return bytes ? static_cast<int64_t>(bytes->size()) + 64 : 0; }

// What is found without the record.
int64_t KeysWeight(const JobRecord& record) {
  return (record.request_id.empty() ? 0 : RequestIdWeight(record.request_id)) +
         (record.spec->unique_key ? kUniqueKeyBytes : 0);
}

int64_t SizeOfPayload(const JobSpec& spec) { return static_cast<int64_t>(PayloadOf(spec).size()); }

// What a field of a spec holds beside its place in JobSpec. The payload is counted apart: it may be on the disk.
template <typename Value>
requires std::is_trivially_copyable_v<Value> int64_t FieldWeight(const Value&) { return 0; }
int64_t FieldWeight(const Bytes&) { return 0; }
int64_t FieldWeight(const std::string& text) { return TextWeight(text); }
int64_t FieldWeight(const LabelSet& labels) { return LabelsWeight(labels.shared().get()); }
int64_t FieldWeight(const Placement& placement) {
  return LabelsWeight(placement.require.shared().get()) + LabelsWeight(placement.prefer.shared().get());
}
int64_t FieldWeight(const Trace& trace) { return TraceWeight(trace); }
int64_t FieldWeight(const std::optional<UniqueKey>& unique) { return unique ? TextWeight(unique->key) : 0; }

// A job that requires labels keeps them without its record, and at worst has lines of its own (KindLines).
int64_t TiesWeight(const JobSpec& spec) {
  constexpr int64_t kLinesBytes = 1024;
  const LabelSet& require = spec.placement.require;
  return require.empty() ? 0 : kLinesBytes + 2 * LabelsWeight(require.shared().get());
}

int64_t SpecWeight(const JobSpec& spec) {
  int64_t bytes = 0;
  ForEachField(kSpecFields, [&](const auto& field) { bytes += FieldWeight(spec.*field.member); });
  return bytes;
}

}  // namespace

int64_t TextWeight(const std::string& text) {
  // No constexpr: clang 14 cannot make it of GCC 12's string. Both compilers fold it.
  const size_t in_place = std::string().capacity();
  return text.capacity() <= in_place ? 0 : static_cast<int64_t>(text.capacity()) + 1 + kAllocated;
}

int64_t LabelsWeight(const Labels& labels) {
  constexpr int64_t kNode = sizeof(Labels::value_type) + 4 * sizeof(void*) + kAllocated;
  int64_t bytes = sizeof(Labels) + 2 * kAllocated;
  for (const auto& [name, value] : labels) bytes += kNode + TextWeight(name) + TextWeight(value);
  return bytes;
}

int64_t TraceWeight(const Trace& trace) {
  if (!trace) return 0;
  return static_cast<int64_t>(sizeof(TraceContext)) + 2 * kAllocated + TextWeight(trace->traceparent) +
         TextWeight(trace->tracestate) + TextWeight(trace->baggage);
}

int64_t TextsWeight(const JobSpec& spec) {
  return FieldWeight(spec.labels) + FieldWeight(spec.trace) + FieldWeight(spec.placement);
}

int64_t RequestIdWeight(const std::string& request_id) { return kRequestIdBytes + TextWeight(request_id); }

int64_t HotWeight(const JobRecord& record) {
  int64_t bytes = kJobOverheadBytes + KeysWeight(record) + SizeOfPayload(*record.spec) + SpecWeight(*record.spec) +
                  TiesWeight(*record.spec);
  bytes += TextWeight(record.request_id) + TextWeight(record.error);
  for (size_t i = 0; i < record.history.size(); ++i) {
    const Attempt& attempt = record.history[i];
    // Room for the first one is part of the overhead.
    bytes +=
        (i > 0 ? static_cast<int64_t>(sizeof(Attempt)) : 0) + TextWeight(attempt.worker) + TextWeight(attempt.error);
  }
  if (record.progress) bytes += TextWeight(record.progress->message);
  return bytes + SizeOf(record.result) + SizeOf(record.log_tail) + SizeOf(record.checkpoint);
}

int64_t ColdWeight(const JobRecord& record) { return kColdJobBytes + KeysWeight(record) + TiesWeight(*record.spec); }

}  // namespace millrace::dispatch
