#include "client/cli/output.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "client/cli/json.h"

namespace millrace::cli {
namespace {

std::atomic<int> first_error{0};

void Failed() {
  int none = 0;
  first_error.compare_exchange_strong(none, errno == 0 ? EIO : errno);
}

bool MovesTheCursor(std::string_view sequence, bool lines) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) {
    if (lines && (first == '\n' || first == '\t')) return false;
    return first < 0x20 || first == 0x7f;
  }
  // U+0080 to U+009F: the control characters of eight-bit terminals, of which U+009B begins a sequence as ESC [ does.
  if (sequence.size() == 2) return first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
  if (sequence.size() != 3 || first != 0xE2) return false;
  // U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: the direction of text; U+2028, U+2029: ends of lines.
  const auto second = static_cast<unsigned char>(sequence[1]), third = static_cast<unsigned char>(sequence[2]);
  if (second == 0x80) return third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE);
  return second == 0x81 && third >= 0xA6 && third <= 0xA9;
}

std::string Without(std::string_view text, bool lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 0 || MovesTheCursor(sequence, lines)) {
      out += '?';
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

}  // namespace

void Print(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) Failed();
}

void PrintLine(std::string_view line) {
  std::string whole(line);  // Printed by one call, since other threads print as well.
  Print(whole += '\n');
}

void PrintBytes(std::string_view bytes, std::FILE* stream) {
  std::string safe;
  if (isatty(fileno(stream))) bytes = safe = PrintableLines(bytes);
  if (stream == stdout) return Print(bytes);
  (void)std::fwrite(bytes.data(), 1, bytes.size(), stream);
}

void FlushOutput() {
  errno = 0;
  if (std::fflush(stdout) != 0) Failed();
}

bool OutputFailed() { return first_error.load() != 0; }

bool FinishOutput() {
  FlushOutput();
  const int error = first_error.load();
  if (error != 0) std::fprintf(stderr, "millrace: stdout: %s\n", std::strerror(error));
  return error == 0;
}

std::string Printable(std::string_view text) { return Without(text, false); }

std::string PrintableLines(std::string_view text) { return Without(text, true); }

}  // namespace millrace::cli
