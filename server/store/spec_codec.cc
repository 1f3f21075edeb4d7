#include "store/spec_codec.h"

#include <string>
#include <type_traits>
#include <utility>

#include "job/spec_fields.h"

namespace millrace::store {

namespace {

// ---- Each type of field, to bytes

void Write(const std::string& text, Writer& writer) { writer.Text(text); }
void Write(const Bytes&, Writer&) {}
template <typename T>
requires std::is_same_v<T, bool>
void Write(T flag, Writer& writer) { writer.Flag(flag); }
template <typename T>
requires std::is_enum_v<T>
void Write(T value, Writer& writer) { writer.Enum(value); }
template <typename T>
void Write(const std::optional<T>& value, Writer& writer) {
  writer.Optional(value);
}
void Write(const LabelSet& labels, Writer& writer) {
  writer.Number(labels.size());
  for (const auto& [name, value] : labels) {
    writer.Text(name);
    writer.Text(value);
  }
}
void Write(const Placement& placement, Writer& writer) {
  Write(placement.require, writer);
  Write(placement.prefer, writer);
}
void Write(const Trace& trace, Writer& writer) {
  writer.Flag(static_cast<bool>(trace));
  if (!trace) return;
  for (const std::string* text : {&trace->traceparent, &trace->tracestate, &trace->baggage}) writer.Text(*text);
}
void Write(const RetryOverrides& retry, Writer& writer) {
  ForEachField(kRetryFields, [&](const auto& field) { Write(retry.*field.member, writer); });
}
void Write(const std::optional<UniqueKey>& unique, Writer& writer) {
  writer.Flag(unique.has_value());
  if (unique) ForEachField(kUniqueKeyFields, [&](const auto& field) { Write((*unique).*field.member, writer); });
}

// ---- And back

void Read(Reader& reader, std::string* text) { *text = reader.Text(); }
void Read(Reader&, Bytes*) {}
void Read(Reader& reader, bool* flag) { *flag = reader.Flag(); }
void Read(Reader& reader, Band* band) { *band = reader.Enum(Band::kLow); }
void Read(Reader& reader, UniqueScope* scope) { *scope = reader.Enum(UniqueScope::kWhileUnfinished); }
void Read(Reader& reader, OnTaken* on_taken) { *on_taken = reader.Enum(OnTaken::kReject); }
void Read(Reader& reader, std::optional<Nanos>* time) {
  *time = reader.Optional([&] { return Nanos(reader.Signed()); });
}
void Read(Reader& reader, std::optional<WallTime>* time) {
  *time = reader.Optional([&] { return reader.Time(); });
}
void Read(Reader& reader, std::optional<int>* number) {
  *number = reader.Optional([&] { return reader.Int(); });
}
void Read(Reader& reader, std::optional<double>* number) {
  *number = reader.Optional([&] { return reader.Double(); });
}
void Read(Reader& reader, LabelSet* labels) {
  for (uint64_t left = reader.Number(); left > 0 && reader.ok(); --left) {
    std::string name(reader.Text());
    labels->emplace(std::move(name), reader.Text());
  }
}
void Read(Reader& reader, Placement* placement) {
  Read(reader, &placement->require);
  Read(reader, &placement->prefer);
}
void Read(Reader& reader, Trace* trace) {
  if (!reader.Flag()) return;
  TraceContext context;
  for (std::string* text : {&context.traceparent, &context.tracestate, &context.baggage}) *text = reader.Text();
  *trace = Trace(std::move(context));
}
void Read(Reader& reader, RetryOverrides* retry) {
  ForEachField(kRetryFields, [&](const auto& field) { Read(reader, &(retry->*field.member)); });
}
void Read(Reader& reader, std::optional<UniqueKey>* unique) {
  if (!reader.Flag()) return;
  UniqueKey& key = unique->emplace();
  ForEachField(kUniqueKeyFields, [&](const auto& field) { Read(reader, &(key.*field.member)); });
}

}  // namespace

void WriteSpecFields(const JobSpec& spec, uint8_t first, uint8_t last, Writer& writer) {
  ForEachField(kSpecFields, [&](const auto& field) {
    if (first <= field.since && field.since <= last) Write(spec.*field.member, writer);
  });
}

void ReadSpecFields(uint8_t first, uint8_t last, Reader& reader, JobSpec* spec) {
  ForEachField(kSpecFields, [&](const auto& field) {
    if (first <= field.since && field.since <= last) Read(reader, &(spec->*field.member));
  });
}

}  // namespace millrace::store
