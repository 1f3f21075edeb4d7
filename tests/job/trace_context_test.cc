#include "job/trace_context.h"

#include <gtest/gtest.h>

#include <string>

#include "job/job.h"
#include "job/validate.h"

namespace millrace {
namespace {

const std::string kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// The field at fault; empty: it is taken.
std::string FieldAtFault(TraceContext context) {
  JobSpec spec;
  spec.kind = "k";
  spec.trace = Trace(std::move(context));
  const Status status = ValidateSpec(spec, 0);
  EXPECT_EQ(status.ok() ? "BAD_TRACE" : status.reason(), "BAD_TRACE");
  return status.ok() ? "" : status.field();
}

TEST(TraceContext, AWellFormedOneIsTakenAsItIs) {
  EXPECT_EQ(FieldAtFault({.traceparent = kParent}), "");
  EXPECT_EQ(FieldAtFault({.traceparent = kParent, .tracestate = "a=1,b@c=2", .baggage = "user=%C3%A4;x=1"}), "");
  EXPECT_EQ(FieldAtFault({.baggage = "user=7"}), "") << "baggage may come without a trace";
  EXPECT_EQ(FieldAtFault({.traceparent = "01" + kParent.substr(2) + "-more"}), "") << "a later version may have more";
  EXPECT_EQ(FieldAtFault({.traceparent = "cc" + kParent.substr(2)}), "");
}

TEST(TraceContext, AMalformedOneOfARequestNamesItsField) {
  for (const std::string& parent :
       {std::string("x"), kParent.substr(1), kParent + "0", kParent + "-more", "ff" + kParent.substr(2),
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01" + std::string(),
        "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + std::string(16, '0') + "-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" + std::string(), "0g" + kParent.substr(2),
        "01" + kParent.substr(2) + "." + "x", "01" + kParent.substr(2) + "-" + std::string(kTraceparentBytesMax, 'x'),
        "01" + kParent.substr(2) + "-\n"}) {
    EXPECT_EQ(FieldAtFault({.traceparent = parent}), "spec.trace.traceparent") << parent;
    EXPECT_EQ(TraceOfHeaders(parent, "a=1", "b=2"), (TraceContext{.baggage = "b=2"})) << parent;
  }
  EXPECT_EQ(FieldAtFault({.tracestate = "a=1"}), "spec.trace.tracestate") << "it means nothing by itself";
  EXPECT_EQ(FieldAtFault({.traceparent = kParent, .tracestate = std::string(kTracestateBytesMax + 1, 'a')}),
            "spec.trace.tracestate");
  EXPECT_EQ(FieldAtFault({.traceparent = kParent, .tracestate = "a=\xc3\xa4"}), "spec.trace.tracestate");
  EXPECT_EQ(FieldAtFault({.baggage = std::string(kBaggageBytesMax + 1, 'a')}), "spec.trace.baggage");
  EXPECT_EQ(FieldAtFault({.baggage = std::string("a\0b", 3)}), "spec.trace.baggage");
}

TEST(TraceContext, OfHeadersWhatCannotBeHandedOnIsLeftOut) {
  EXPECT_EQ(TraceOfHeaders(kParent, "a=1", "b=2"),
            (TraceContext{.traceparent = kParent, .tracestate = "a=1", .baggage = "b=2"}));
  EXPECT_TRUE(TraceOfHeaders("", "a=1", "").empty()) << "a tracestate goes with its traceparent";
  EXPECT_TRUE(TraceOfHeaders(kParent + "," + kParent, "", "").empty()) << "two are none";
  const std::string later = "01" + kParent.substr(2) + "-x";
  EXPECT_TRUE(TraceOfHeaders(later + "," + kParent, "", "").empty()) << "also where the first may be longer";
  const std::string member = "k=" + std::string(118, 'v');  // Four of them and their commas are 483 bytes.
  const std::string four = member + "," + member + "," + member + "," + member;
  EXPECT_EQ(TraceOfHeaders(kParent, four + "," + member, "").tracestate, four) << "whole members, from the front";
  const std::string big = "big=" + std::string(600, 'v');
  EXPECT_EQ(TraceOfHeaders(kParent, big + ",a=1", "").tracestate, "a=1") << "long ones go first";
  EXPECT_LT(TraceOfHeaders(kParent, big + ",a=1", "").tracestate.capacity(), 32u) << "a job keeps its room";
  const std::string exact(kTracestateBytesMax, 'a');
  EXPECT_EQ(TraceOfHeaders(kParent, exact, "").tracestate, exact);
  EXPECT_EQ(TraceOfHeaders(kParent, exact + ",b=1", "").tracestate, "b=1");
  EXPECT_EQ(TraceOfHeaders(kParent, exact + "a", "").tracestate, "");
  EXPECT_EQ(TraceOfHeaders("", "", std::string(2 * kBaggageBytesMax, 'b')).baggage, "");
  EXPECT_EQ(TraceOfHeaders("", "", "a=\xff").baggage, "");
}

TEST(Trace, NothingToHandOnIsNoTrace) {
  EXPECT_FALSE(Trace());
  EXPECT_FALSE(Trace(TraceContext{}));
  EXPECT_EQ(Trace(TraceContext{}), Trace());
  const Trace trace({.traceparent = kParent});
  EXPECT_TRUE(trace);
  EXPECT_EQ(trace, Trace({.traceparent = kParent}));
  EXPECT_FALSE(trace == Trace());
  EXPECT_FALSE(trace == Trace({.baggage = "a=1"}));
}

}  // namespace
}  // namespace millrace
