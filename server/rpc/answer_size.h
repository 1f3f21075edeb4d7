// Refuses answers that a client cannot take, with a reason. gRPC would fail the call at the client, when the whole
// answer has crossed the network, with a code that looks like a full queue and a text that does not say what to ask for
// instead.
//
//   Limit     4 MiB, what gRPC takes by default in every language, unless the call's metadata says more (job.proto,
//             JobView).
//   Threads   Pure functions.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/server_context.h>

#include <cstdint>

#include "base/status.h"

namespace millrace::rpc {

inline constexpr const char kReceiveBytesMetadata[] = "millrace-receive-bytes-max";
inline constexpr int64_t kAnswerBytesMax = int64_t{4} << 20;

// The size that the client of this call takes. A value that is no number counts as not given.
int64_t AnswerBytesMax(const grpc::ServerContextBase& context);

// What to ask for instead of an answer that is too large.
inline constexpr const char kSmallerViews[] = "ask for JOB_VIEW_RESULT or JOB_VIEW_BASIC";
inline constexpr const char kOnePool[] = "ask for one pool at a time with GetPool";
inline constexpr const char kFewerKinds[] = "give the pool fewer kinds";
inline constexpr const char kSmallerPages[] = "ask for a smaller page_size";
inline constexpr const char kFewerSlots[] = "give the worker fewer slots, labels or kinds";

// FAILED_PRECONDITION ANSWER_TOO_LARGE.
Status CheckAnswer(const google::protobuf::MessageLite& answer, int64_t bytes_max, const char* instead);

}  // namespace millrace::rpc
