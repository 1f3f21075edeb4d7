// Table: rows for people in aligned columns; numbers are right-aligned. Details: what is known of one thing, a line for
// each fact.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::cli {

class Table {
 public:
  // A header that starts with '>' makes a right-aligned column: {"POOL", ">QUEUED"}.
  explicit Table(std::vector<std::string> headers);

  // As many cells as headers.
  void Add(std::vector<std::string> cells);

  // Two spaces between columns, none at the end of a line. What could move a terminal's cursor becomes '?' (output.h).
  std::string Render() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;  // The headers first.
};

// "NAME: value" lines with the values in one column.
class Details {
 public:
  // An empty value: no line. What could move a terminal's cursor becomes '?'.
  void Add(std::string_view name, std::string_view value);
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// Columns that UTF-8 text takes on a terminal, one for each code point.
size_t DisplayWidth(std::string_view text);

// The first line of a text, cut to `width` columns with an ellipsis, control characters replaced.
std::string OneLine(std::string_view text, size_t width);

}  // namespace millrace::cli
