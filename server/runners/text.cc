#include "runners/text.h"

#include <cstdint>

namespace millrace::runners {
namespace {

// Bytes of the UTF-8 sequence that `text` begins with, 0 when that is none. As in RFC 3629: no surrogates, nothing
// longer than needed, nothing above U+10FFFF.
size_t SequenceBytes(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0}; };
  auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  uint8_t first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool fits = (first != 0xE0 || second >= 0xA0) && (first != 0xED || second < 0xA0);
    return fits && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool fits = (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second < 0x90);
    return fits && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

bool IsControl(char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F; }

}  // namespace

std::string Printable(std::string_view bytes, size_t bytes_max) {
  std::string text;
  for (size_t i = 0; i < bytes.size();) {
    size_t length = SequenceBytes(bytes.substr(i));
    if (text.size() + (length ? length : 1) > bytes_max) return text += "...";
    if (length == 0 || IsControl(bytes[i])) {
      text += '?';
      ++i;
    } else {
      text += bytes.substr(i, length);
      i += length;
    }
  }
  return text;
}

}  // namespace millrace::runners
