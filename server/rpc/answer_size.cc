#include "rpc/answer_size.h"

#include <charconv>

namespace millrace::rpc {

int64_t AnswerBytesMax(const grpc::ServerContextBase& context) {
  const auto said = context.client_metadata().find(kReceiveBytesMetadata);
  if (said == context.client_metadata().end()) return kAnswerBytesMax;
  const grpc::string_ref text = said->second;
  int64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  return error == std::errc() && end == text.data() + text.size() && bytes > 0 ? bytes : kAnswerBytesMax;
}

Status CheckAnswer(const google::protobuf::MessageLite& answer, int64_t bytes_max, const char* instead) {
  const auto bytes = static_cast<int64_t>(answer.ByteSizeLong());
  if (bytes <= bytes_max) return OkStatus();
  return FailedPrecondition("ANSWER_TOO_LARGE",
                            "the answer has " + std::to_string(bytes) + " bytes and this client takes " +
                                std::to_string(bytes_max) + ": " + instead +
                                ", or raise the client's limit and say so in the metadata " + kReceiveBytesMetadata)
      .With("bytes", bytes)
      .With("limit", bytes_max);
}

}  // namespace millrace::rpc
