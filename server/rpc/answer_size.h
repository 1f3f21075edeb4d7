// Answers that a client cannot take are refused here, by name. gRPC would fail the call at the client, after the whole answer has
// crossed the network, with a code that looks like a full queue and a text that says nothing of what to ask for instead.
//
//   Limit     4 MiB, what gRPC takes by default in every language, unless the call's metadata says more (job.proto, JobView).
//   Threads   Pure functions.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>

#include <cstdint>

#include "base/status.h"

namespace millrace::rpc {

inline constexpr const char kReceiveBytesMetadata[] = "millrace-receive-bytes-max";
inline constexpr int64_t kAnswerBytesMax = int64_t{4} << 20;

// What the client of this call takes. What is no number counts as not said.
int64_t AnswerBytesMax(const grpc::ServerContextBase& context);

// FAILED_PRECONDITION ANSWER_TOO_LARGE.
Status CheckAnswer(const google::protobuf::MessageLite& answer, int64_t bytes_max);

}  // namespace millrace::rpc
