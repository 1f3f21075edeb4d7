#include "rpc/trace_metadata.h"

#include <string>

namespace millrace::rpc {
namespace {

// A header that comes several times is one list (RFC 9110, 5.3).
std::string Header(const grpc::ServerContextBase& context, const char* name) {
  std::string list;
  const auto [begin, end] = context.client_metadata().equal_range(name);
  for (auto it = begin; it != end; ++it) {
    if (!list.empty()) list += ',';
    list.append(it->second.data(), it->second.size());
  }
  return list;
}

}  // namespace

Trace TraceOf(const grpc::ServerContextBase& context) {
  return Trace(
      TraceOfHeaders(Header(context, "traceparent"), Header(context, "tracestate"), Header(context, "baggage")));
}

}  // namespace millrace::rpc
