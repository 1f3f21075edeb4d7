// Node: a setting as somebody wrote it, with the place where, so that every error can name it.
//
// A file becomes a tree of nodes (ParseToml, toml++ underneath); an environment variable or a flag becomes one leaf
// whose type is not known until a key asks for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::config {

struct Node {
  enum class Type : uint8_t { kTable, kArray, kString, kInteger, kFloat, kBoolean, kDate, kUntyped };

  Type type = Type::kTable;
  std::string origin;  // "millrace.toml:12:3", "MILLRACE_PROCS" or "--procs".
  std::string name;    // Its key in the table around it.
  std::string text;    // kString, kUntyped
  int64_t integer = 0;
  double number = 0;  // kFloat
  bool boolean = false;
  std::vector<Node> children;  // kTable: in the order of the file; kArray.

  const Node* Find(std::string_view child) const;
  // "a string", for "expected a duration, found a string".
  const char* TypeName() const;

  static Node Untyped(std::string origin, std::string text);
};

// `name` is what origins begin with. A syntax error is INVALID_ARGUMENT BAD_TOML with its place; there is one at most.
Result<Node> ParseToml(std::string_view text, const std::string& name);

// `text` quoted for a TOML file.
std::string QuoteToml(std::string_view text);
// A key: bare when it can be, else quoted.
std::string TomlKey(std::string_view key);

}  // namespace millrace::config
