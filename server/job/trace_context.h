// TraceContext: the trace that a job belongs to, as whoever submits it says it (W3C Trace Context level 1 and Baggage).
// Millrace makes no spans: it hands on what it got, byte for byte, to every attempt, so that what a handler records is
// part of its client's trace.
//
//   Threads   Trace: as for a shared_ptr; copies share one context, which never changes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace millrace {

inline constexpr size_t kTraceparentBytesMax = 256;  // For a later version; version 00 has 55.
// W3C asks that at least this much be handed on.
inline constexpr size_t kTracestateBytesMax = 512;
inline constexpr size_t kBaggageBytesMax = 8192;

struct TraceContext {
  std::string traceparent;
  std::string tracestate;  // Empty without a traceparent.
  std::string baggage;

  bool empty() const { return traceparent.empty() && tracestate.empty() && baggage.empty(); }
  bool operator==(const TraceContext&) const = default;
};

// The trace in a job: a shared pointer, as most jobs have none.
class Trace {
 public:
  Trace() = default;
  explicit Trace(TraceContext context) {
    if (!context.empty()) context_ = std::make_shared<const TraceContext>(std::move(context));
  }

  explicit operator bool() const { return context_ != nullptr; }
  const TraceContext& operator*() const { return *context_; }
  const TraceContext* operator->() const { return context_.get(); }
  friend bool operator==(const Trace& a, const Trace& b) {
    return a.context_ == b.context_ || (a.context_ && b.context_ && *a.context_ == *b.context_);
  }

 private:
  std::shared_ptr<const TraceContext> context_;
};

// INVALID_ARGUMENT BAD_TRACE with the field: for a context that is part of a request.
Status ValidateTrace(const TraceContext& context);

// The context that headers make: one that is malformed counts as missing, a tracestate goes with its traceparent, and
// of a list that is too long the last members are left out, as W3C has it; of a tracestate the members of more than 128
// bytes first. Never an error, since headers come from what is between a client and us as well.
TraceContext TraceOfHeaders(const std::string& traceparent, const std::string& tracestate, const std::string& baggage);

}  // namespace millrace
