#include "web/gzip.h"

#include <strings.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace millrace::web {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsWord(std::string_view text, std::string_view word) {
  return text.size() == word.size() && strncasecmp(text.data(), word.data(), word.size()) == 0;
}

// The part before the separator, which is taken off with it.
std::string_view TakePart(std::string_view* text, char separator) {
  const size_t end = std::min(text->find(separator), text->size());
  std::string_view part = Trim(text->substr(0, end));
  text->remove_prefix(std::min(end + 1, text->size()));
  return part;
}

// "q=0", "q=0.0": explicitly not wanted.
bool IsRefusal(std::string_view parameter) {
  if (parameter.size() < 3 || !IsWord(parameter.substr(0, 2), "q=")) return false;
  return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool AcceptsGzip(std::string_view accept_encoding) {
  std::optional<bool> gzip, any;
  while (!accept_encoding.empty()) {
    std::string_view coding = TakePart(&accept_encoding, ',');
    const std::string_view name = TakePart(&coding, ';');
    bool wanted = true;
    while (!coding.empty()) wanted = wanted && !IsRefusal(TakePart(&coding, ';'));
    if (IsWord(name, "gzip") || IsWord(name, "x-gzip")) gzip = wanted;
    if (name == "*") any = wanted;
  }
  return gzip.value_or(any.value_or(false));
}

std::optional<std::string> Gzip(std::string_view text) {
  if (text.size() > std::numeric_limits<uInt>::max() / 2) return {};  // Its counters could not hold it.
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;  // The largest window; 16 more asks for gzip's header instead of zlib's.
  constexpr int kMemory = 8;            // zlib's default.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int end = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (end != Z_STREAM_END) return {};
  packed.shrink_to_fit();
  return packed;
}

}  // namespace millrace::web
