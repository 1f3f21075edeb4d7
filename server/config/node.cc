#include "config/node.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace millrace::config {
namespace {

std::string Place(const std::string& file, const toml::source_region& region) {
  return file + ":" + std::to_string(region.begin.line) + ":" + std::to_string(region.begin.column);
}

Node Convert(const toml::node& from, const std::string& file) {
  Node node;
  node.origin = Place(file, from.source());
  if (const auto* table = from.as_table()) {
    node.type = Node::Type::kTable;
    // toml++ sorts keys; people expect errors and pools in the order of the file.
    std::vector<std::pair<toml::source_position, Node>> members;
    for (const auto& [key, value] : *table) {
      Node member = Convert(value, file);
      member.name = std::string(key.str());
      member.origin = Place(file, key.source());
      members.emplace_back(key.source().begin, std::move(member));
    }
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [position, member] : members) node.children.push_back(std::move(member));
  } else if (const auto* array = from.as_array()) {
    node.type = Node::Type::kArray;
    for (const auto& element : *array) node.children.push_back(Convert(element, file));
  } else if (const auto* string = from.as_string()) {
    node.type = Node::Type::kString;
    node.text = string->get();
  } else if (const auto* integer = from.as_integer()) {
    node.type = Node::Type::kInteger;
    node.integer = integer->get();
  } else if (const auto* number = from.as_floating_point()) {
    node.type = Node::Type::kFloat;
    node.number = number->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.type = Node::Type::kBoolean;
    node.boolean = boolean->get();
  } else {
    node.type = Node::Type::kDate;
  }
  return node;
}

}  // namespace

const Node* Node::Find(std::string_view child) const {
  for (const Node& node : children) {
    if (node.name == child) return &node;
  }
  return nullptr;
}

const char* Node::TypeName() const {
  switch (type) {
    case Type::kTable:
      return "a table";
    case Type::kArray:
      return "an array";
    case Type::kString:
      return "a string";
    case Type::kInteger:
      return "a whole number";
    case Type::kFloat:
      return "a fraction";
    case Type::kBoolean:
      return "a boolean";
    case Type::kDate:
      return "a date";
    case Type::kUntyped:
      return "text";
  }
  return "?";
}

Node Node::Untyped(std::string origin, std::string text) {
  Node node;
  node.type = Type::kUntyped;
  node.origin = std::move(origin);
  node.text = std::move(text);
  return node;
}

Result<Node> ParseToml(std::string_view text, const std::string& name) {
  try {
    return Convert(toml::parse(text), name);
  } catch (const toml::parse_error& error) {
    return InvalidArgument("BAD_TOML", Place(name, error.source()) + ": " + std::string(error.description()));
  }
}

std::string QuoteToml(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      snprintf(escape, sizeof(escape), "\\u%04X", byte);
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string TomlKey(std::string_view key) {
  bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return bare ? std::string(key) : QuoteToml(key);
}

}  // namespace millrace::config
