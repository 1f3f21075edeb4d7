#include "rpc/token.h"

#include <absl/strings/escaping.h>

#include <cstddef>

namespace millrace::rpc {
namespace {

constexpr char kPageVersion = 'p';
constexpr char kResumeVersion = 'r';
constexpr size_t kWordBytes = 8;

void Put(uint64_t word, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(word >> shift));
}

uint64_t Word(std::string_view bytes, size_t index) {
  uint64_t word = 0;
  for (size_t i = 0; i < kWordBytes; ++i)
    word = word << 8 | static_cast<unsigned char>(bytes[1 + index * kWordBytes + i]);
  return word;
}

// The bytes behind a token of `words` numbers; empty when it is not one.
std::string Decode(std::string_view token, char version, size_t words) {
  std::string bytes;
  const size_t size = 1 + words * kWordBytes;
  if (token.size() > 2 * size || !absl::WebSafeBase64Unescape(absl::string_view(token.data(), token.size()), &bytes))
    return {};
  return bytes.size() == size && bytes[0] == version ? bytes : std::string();
}

// FNV-1a: the same in every build, so a token outlives the process that made it.
uint64_t Hash(const PageQuery& query) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3u; };
  for (const char c : query.filter) add(static_cast<unsigned char>(c));
  add(query.newest_first ? 1 : 0);
  add(static_cast<uint64_t>(query.view));
  return hash;
}

}  // namespace

std::string MakePageToken(const PageQuery& query, const Id& last) {
  std::string bytes(1, kPageVersion);
  Put(Hash(query), &bytes);
  Put(last.high, &bytes);
  Put(last.low, &bytes);
  return absl::WebSafeBase64Escape(bytes);
}

Result<Id> ParsePageToken(const PageQuery& query, std::string_view token) {
  const std::string bytes = Decode(token, kPageVersion, 3);
  if (bytes.empty()) {
    return InvalidArgument("PAGE_TOKEN_MALFORMED",
                           "page_token is not one that a listing returned: pass next_page_token unchanged, or "
                           "leave it empty for the first page")
        .Field("page_token");
  }
  if (Word(bytes, 0) != Hash(query)) {
    return InvalidArgument("PAGE_TOKEN_MISMATCH",
                           "page_token belongs to a listing with another filter, view or order: repeat those of the "
                           "first page, or leave page_token empty")
        .Field("page_token");
  }
  return Id{Word(bytes, 1), Word(bytes, 2)};
}

std::string MakeResumeToken(uint64_t sequence) {
  std::string bytes(1, kResumeVersion);
  Put(sequence, &bytes);
  return absl::WebSafeBase64Escape(bytes);
}

Result<uint64_t> ParseResumeToken(std::string_view token) {
  const std::string bytes = Decode(token, kResumeVersion, 1);
  if (bytes.empty()) {
    return InvalidArgument("RESUME_TOKEN_MALFORMED",
                           "resume_token is not one that an event carried: pass it unchanged, or leave it "
                           "empty to watch from now on")
        .Field("resume_token");
  }
  return Word(bytes, 0);
}

}  // namespace millrace::rpc
