#include "client/cli/table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "client/cli/output.h"

namespace millrace::cli {
namespace {

bool Continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

void Details::Add(std::string_view name, std::string_view value) {
  constexpr size_t kNameColumns = 14;
  if (value.empty()) return;
  const size_t begin = text_.size();
  text_.append(name).append(":");
  text_.resize(std::max(text_.size() + 1, begin + kNameColumns), ' ');
  text_.append(Printable(value)).append("\n");
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !Continues(c); }));
}

std::string OneLine(std::string_view text, size_t width) {
  const size_t end = text.find('\n');
  bool cut = end != std::string_view::npos && end + 1 < text.size();
  text = text.substr(0, end);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (DisplayWidth(text) + (cut ? 1 : 0) > width) {
    size_t bytes = 0;
    for (size_t columns = 0; bytes < text.size(); ++bytes) {
      if (!Continues(text[bytes]) && ++columns > width - 1) break;
    }
    text = text.substr(0, bytes);
    cut = true;
  }
  return Printable(text) + (cut ? "…" : "");
}

Table::Table(std::vector<std::string> headers) {
  for (std::string& header : headers) {
    right_.push_back(header.starts_with('>'));
    if (right_.back()) header.erase(0, 1);
  }
  rows_.push_back(std::move(headers));
}

void Table::Add(std::vector<std::string> cells) {
  MR_CHECK(cells.size() == right_.size(), "a table row of %zu cells under %zu headers", cells.size(), right_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Render() const {
  std::vector<size_t> widths(right_.size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - DisplayWidth(row[i]), ' ');
      if (i > 0) out += "  ";
      out += right_[i] ? padding + row[i] : row[i] + padding;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

}  // namespace millrace::cli
