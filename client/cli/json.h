// JSON output, in one line: messages of the protocol, and JsonObject for what is not a message.
#pragma once

#include <google/protobuf/message.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::cli {

// The JSON of protobuf with three changes, for people who write `jq 'select(.queuedJobs > 100)'`: numbers of 64 bits
// are numbers, numbers and flags are there when they are 0 or false, and an enum has its word (client/words.h). Other
// fields that are not set are left out. Bytes are base64, times and durations are text.
std::string ToJson(const google::protobuf::Message& message);

// A quoted JSON string. Bytes that are not UTF-8 become U+FFFD.
std::string JsonString(std::string_view text);

std::string JsonNumber(double value);  // "null" when it is none.

// Length of the UTF-8 sequence at the front of a text that is not empty: 1 to 4; 0 for what is none (overlong forms,
// surrogates and stray bytes).
size_t Utf8Length(std::string_view text);
bool IsUtf8(std::string_view text);
std::string Base64(std::string_view bytes);

// Keeps the order of its members: `JsonObject().Add("id", id).Add("jobs", 3).Take()` is {"id":"...","jobs":3}.
class JsonObject {
 public:
  JsonObject& Add(std::string_view key, std::string_view text) { return AddRaw(key, JsonString(text)); }
  JsonObject& Add(std::string_view key, const char* text) { return Add(key, std::string_view(text)); }
  JsonObject& Add(std::string_view key, const std::string& text) { return Add(key, std::string_view(text)); }
  JsonObject& Add(std::string_view key, bool value) { return AddRaw(key, value ? "true" : "false"); }
  JsonObject& Add(std::string_view key, std::integral auto value) { return AddRaw(key, std::to_string(value)); }
  JsonObject& Add(std::string_view key, double value) { return AddRaw(key, JsonNumber(value)); }
  // A "text" member for bytes that are UTF-8, a "base64" one for others: key + "Text" or key + "Base64".
  JsonObject& AddBytes(std::string_view key, std::string_view bytes);
  JsonObject& AddRaw(std::string_view key, std::string_view json);

  std::string Take() { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

}  // namespace millrace::cli
