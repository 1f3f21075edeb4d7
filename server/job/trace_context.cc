#include "job/trace_context.h"

#include <algorithm>

namespace millrace {

namespace {

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsAllZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

// Text that may stand in a header and in the environment of a program.
bool IsVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// version-trace_id-parent_id-flags in lower-case hex. A later version may have more behind a further dash.
bool IsTraceparent(std::string_view text) {
  constexpr size_t kVersion00 = 55;
  if (text.size() < kVersion00 || text.size() > kTraceparentBytesMax || !IsVisible(text)) return false;
  if (text.find(',') != std::string_view::npos) return false;  // Several headers, made one list.
  const std::string_view version = text.substr(0, 2), trace_id = text.substr(3, 32), parent_id = text.substr(36, 16),
                         flags = text.substr(53, 2);
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  if (!IsLowerHex(version) || !IsLowerHex(trace_id) || !IsLowerHex(parent_id) || !IsLowerHex(flags)) return false;
  if (version == "ff" || IsAllZero(trace_id) || IsAllZero(parent_id)) return false;
  return text.size() == kVersion00 || (version != "00" && text[kVersion00] == '-');
}

Status Bad(const char* field, const std::string& message) {
  return InvalidArgument("BAD_TRACE", std::string("spec.trace.") + field + " " + message)
      .Field(std::string("spec.trace.") + field);
}

Status ValidateList(const char* field, const std::string& list, size_t bytes_max) {
  if (list.size() <= bytes_max && IsVisible(list)) return OkStatus();
  return Bad(field, "must be at most " + std::to_string(bytes_max) + " bytes of visible ASCII; percent-encode others");
}

// The members of `list`, which are divided by commas, that have at most `member_max` bytes; the first of them that
// together have at most `bytes_max`.
std::string Members(std::string_view list, size_t member_max, size_t bytes_max) {
  std::string kept;
  while (!list.empty()) {
    const std::string_view member = list.substr(0, list.find(','));
    list.remove_prefix(std::min(member.size() + 1, list.size()));
    if (member.size() > member_max) continue;
    const size_t comma = kept.empty() ? 0 : 1;
    if (kept.size() + comma + member.size() > bytes_max) break;
    kept.append(comma, ',').append(member);
  }
  return kept;
}

// In a string of its own, since a job keeps the room of the one it gets.
std::string CutList(const std::string& list, size_t long_member, size_t bytes_max) {
  if (!IsVisible(list)) return "";
  return list.size() <= bytes_max ? std::string(list) : Members(list, long_member, bytes_max);
}

}  // namespace

Status ValidateTrace(const TraceContext& context) {
  if (!context.traceparent.empty() && !IsTraceparent(context.traceparent)) {
    return Bad("traceparent",
               "is not one of W3C Trace Context, like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  }
  if (!context.tracestate.empty() && context.traceparent.empty()) {
    return Bad("tracestate", "means nothing without spec.trace.traceparent; give both or none");
  }
  MR_RETURN_IF_ERROR(ValidateList("tracestate", context.tracestate, kTracestateBytesMax));
  return ValidateList("baggage", context.baggage, kBaggageBytesMax);
}

TraceContext TraceOfHeaders(const std::string& traceparent, const std::string& tracestate, const std::string& baggage) {
  constexpr size_t kLongMember = 128;
  TraceContext context;
  if (IsTraceparent(traceparent)) {
    context.traceparent = std::string(traceparent);
    context.tracestate = CutList(tracestate, kLongMember, kTracestateBytesMax);
  }
  context.baggage = CutList(baggage, kBaggageBytesMax, kBaggageBytesMax);
  return context;
}

}  // namespace millrace
