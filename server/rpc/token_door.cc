#include "rpc/token_door.h"

#include <grpcpp/server_context.h>
#include <strings.h>

#include <memory>
#include <string>
#include <string_view>

namespace millrace::rpc {

namespace {

constexpr const char* kHeader = "authorization";  // gRPC gives names in lower case.
constexpr std::string_view kScheme = "bearer ";   // RFC 6750; schemes are compared without case.

Status Missing(const MethodInfo& method) {
  return Status(StatusCode::kUnauthenticated, "TOKEN_MISSING",
                std::string("this daemon asks for a token, and ") + method.name +
                    " came without; send 'authorization: Bearer mr_...' in the metadata of the call, as the clients do "
                    "that are told a token");
}

Status NotAllowed(const MethodInfo& method, const access::Token& token) {
  return Status(StatusCode::kPermissionDenied, "ROLE_MISSING",
                std::string(method.name) + " asks for the role '" + ToString(method.role) + "', and the token '" +
                    token.name + "' has " + token.roles.ToString() + "; ask the operator for one that may do this")
      .With("role", ToString(method.role))
      .With("roles", token.roles.ToString());
}

}  // namespace

Door TokenDoor(const access::Tokens& tokens) {
  return [&tokens](const MethodInfo& method, const grpc::CallbackServerContext& caller) {
    if (method.role == Role::kNone) return OkStatus();
    const auto [begin, end] = caller.client_metadata().equal_range(kHeader);
    if (begin == end) return Missing(method);
    std::string_view said(begin->second.data(), begin->second.size());
    const bool bearer = said.size() > kScheme.size() && strncasecmp(said.data(), kScheme.data(), kScheme.size()) == 0;
    if (!bearer || std::next(begin) != end) {
      return Status(StatusCode::kUnauthenticated, "TOKEN_MALFORMED",
                    "the metadata 'authorization' is to be there once, as 'Bearer mr_...'");
    }
    said.remove_prefix(kScheme.size());
    const Result<std::shared_ptr<const access::Token>> token = tokens.Check(said);
    if (!token.ok()) return token.status();
    return (*token)->roles.Allow(method.role) ? OkStatus() : NotAllowed(method, **token);
  };
}

}  // namespace millrace::rpc
