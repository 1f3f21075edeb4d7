#include "config/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "base/suggest.h"
#include "base/units.h"

namespace millrace::config {
namespace {

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename Field, typename Format>
std::string PrintField(const Field& field, Format format) {
  if constexpr (IsOptional<Field>::value) {
    return field ? format(*field) : "";
  } else {
    return format(field);
  }
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// A whole number from a file, or from the text of a variable or flag.
std::optional<int64_t> AsInteger(const Node& node) {
  if (node.type == Node::Type::kInteger) return node.integer;
  if (node.type != Node::Type::kUntyped) return std::nullopt;
  int64_t value = 0;
  const char* end = node.text.data() + node.text.size();
  auto [stop, error] = std::from_chars(node.text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<double> AsNumber(const Node& node) {
  if (node.type == Node::Type::kFloat) return node.number;
  if (node.type == Node::Type::kInteger) return static_cast<double>(node.integer);
  return std::nullopt;
}

bool IsText(const Node& node) { return node.type == Node::Type::kString || node.type == Node::Type::kUntyped; }

std::string Found(const Node& node) { return IsText(node) ? "'" + node.text + "'" : std::string(node.TypeName()); }

}  // namespace

std::string Suggest(std::string_view wrong, const std::vector<std::string>& known) {
  const std::string nearest = Nearest(wrong, known);
  if (!nearest.empty()) return "; did you mean '" + nearest + "'?";
  return known.empty() ? "; there are none" : "; known are: " + Join(known);
}

template <typename Field>
void Section::AddInteger(std::string key, Field* field, int64_t min, int64_t max) {
  keys_.push_back({key,
                   [key, field, min, max](const Node& node, Problems* problems) {
                     auto value = AsInteger(node);
                     if (!value) {
                       problems->Add(node.origin, key + " must be a whole number, not " + Found(node));
                     } else if (*value < min || *value > max) {
                       problems->Add(node.origin, key + " = " + std::to_string(*value) +
                                                      " is out of range; it must be from " + std::to_string(min) +
                                                      " to " + std::to_string(max));
                     } else if constexpr (IsOptional<Field>::value) {
                       *field = static_cast<typename Field::value_type>(*value);
                     } else {
                       *field = static_cast<Field>(*value);
                     }
                   },
                   [field] { return PrintField(*field, [](auto value) { return std::to_string(value); }); }});
}

void Section::Integer(std::string key, int* field, int64_t min, int64_t max) {
  AddInteger(std::move(key), field, min, max);
}
void Section::Integer(std::string key, int64_t* field, int64_t min, int64_t max) {
  AddInteger(std::move(key), field, min, max);
}
void Section::Integer(std::string key, size_t* field, int64_t min, int64_t max) {
  AddInteger(std::move(key), field, min, max);
}
void Section::Integer(std::string key, std::optional<int>* field, int64_t min, int64_t max) {
  AddInteger(std::move(key), field, min, max);
}
void Section::Integer(std::string key, std::optional<int64_t>* field, int64_t min, int64_t max) {
  AddInteger(std::move(key), field, min, max);
}

void Section::Number(std::string key, std::optional<double>* field, double min, double max) {
  auto print = [](double value) {
    char text[32];
    auto [end, error] = std::to_chars(text, text + sizeof(text), value);
    std::string number(text, end);
    return number.find_first_of(".e") == std::string::npos ? number + ".0" : number;
  };
  keys_.push_back({key,
                   [key, field, min, max, print](const Node& node, Problems* problems) {
                     auto value = AsNumber(node);
                     if (!value || std::isnan(*value)) {
                       problems->Add(node.origin, key + " must be a number, not " + Found(node));
                     } else if (*value < min || *value > max) {
                       problems->Add(node.origin, key + " = " + print(*value) + " is out of range; it must be from " +
                                                      print(min) + " to " + print(max));
                     } else {
                       *field = *value;
                     }
                   },
                   [field, print] { return PrintField(*field, print); }});
}

template <typename Field>
void Section::AddDuration(std::string key, Field* field, Nanos min, Nanos max) {
  keys_.push_back(
      {key,
       [key, field, min, max](const Node& node, Problems* problems) {
         auto value = IsText(node) ? ParseDuration(node.text) : std::nullopt;
         if (!value) {
           problems->Add(node.origin,
                         key + " must be a duration such as \"30s\", \"250ms\" or \"1h30m\", not " + Found(node));
         } else if (*value < min || *value > max) {
           problems->Add(node.origin, key + " = \"" + node.text + "\" is out of range; it must be from " +
                                          FormatDuration(min) + " to " + FormatDuration(max));
         } else {
           *field = *value;
         }
       },
       [field] { return PrintField(*field, [](Nanos value) { return QuoteToml(FormatDuration(value)); }); }});
}

void Section::Duration(std::string key, Nanos* field, Nanos min, Nanos max) {
  AddDuration(std::move(key), field, min, max);
}
void Section::Duration(std::string key, std::optional<Nanos>* field, Nanos min, Nanos max) {
  AddDuration(std::move(key), field, min, max);
}

template <typename Field>
void Section::AddSize(std::string key, Field* field, int64_t min, int64_t max) {
  keys_.push_back(
      {key,
       [key, field, min, max](const Node& node, Problems* problems) {
         auto value = IsText(node) ? ParseSize(node.text) : std::nullopt;
         if (!value) {
           problems->Add(node.origin, key + " must be a size such as \"64MiB\" or \"512B\", not " + Found(node));
         } else if (*value < min || *value > max) {
           problems->Add(node.origin, key + " = \"" + node.text + "\" is out of range; it must be from " +
                                          FormatSize(min) + " to " + FormatSize(max));
         } else if constexpr (IsOptional<Field>::value) {
           *field = *value;
         } else {
           *field = static_cast<Field>(*value);
         }
       },
       [field] {
         return PrintField(*field, [](auto value) { return QuoteToml(FormatSize(static_cast<int64_t>(value))); });
       }});
}

void Section::Size(std::string key, int64_t* field, int64_t min, int64_t max) {
  AddSize(std::move(key), field, min, max);
}
void Section::Size(std::string key, size_t* field, int64_t min, int64_t max) {
  AddSize(std::move(key), field, min, max);
}
void Section::Size(std::string key, std::optional<int64_t>* field, int64_t min, int64_t max) {
  AddSize(std::move(key), field, min, max);
}

void Section::Budget(std::string key, int64_t* field, int64_t min, int64_t max) {
  automatic_.insert(key);
  Size(key, field, min, max);
  keys_.back().read = [this, key, field, at_first = *field, size = std::move(keys_.back().read)](const Node& node,
                                                                                                 Problems* problems) {
    if (IsText(node) && node.text == "auto") {
      automatic_.insert(key);
      *field = at_first;
    } else {
      automatic_.erase(key);
      size(node, problems);
    }
  };
}

void Section::Boolean(std::string key, bool* field) {
  keys_.push_back({key,
                   [key, field](const Node& node, Problems* problems) {
                     if (node.type == Node::Type::kBoolean) {
                       *field = node.boolean;
                     } else if (node.type == Node::Type::kUntyped && (node.text == "true" || node.text == "1")) {
                       *field = true;
                     } else if (node.type == Node::Type::kUntyped && (node.text == "false" || node.text == "0")) {
                       *field = false;
                     } else {
                       problems->Add(node.origin, key + " must be true or false, not " + Found(node));
                     }
                   },
                   [field] { return *field ? "true" : "false"; }});
}

void Section::Text(std::string key, std::string* field) {
  keys_.push_back({key,
                   [key, field](const Node& node, Problems* problems) {
                     if (!IsText(node)) {
                       problems->Add(node.origin, key + " must be a string, not " + Found(node));
                     } else {
                       *field = node.text;
                     }
                   },
                   [field] { return field->empty() ? std::string() : QuoteToml(*field); }});
}

void Section::Listen(std::string key, Address* field) {
  keys_.push_back({key,
                   [key, field](const Node& node, Problems* problems) {
                     if (!IsText(node)) {
                       problems->Add(node.origin,
                                     key + " must be a string such as \"127.0.0.1:7070\", not " + Found(node));
                       return;
                     }
                     auto address = ParseAddress(node.text);
                     if (!address.ok()) {
                       problems->Add(node.origin, key + ": " + address.status().message());
                     } else {
                       *field = *address;
                     }
                   },
                   [field] { return QuoteToml(field->ToString()); }});
}

void Section::TextList(std::string key, std::vector<std::string>* field) {
  keys_.push_back({key,
                   [key, field](const Node& node, Problems* problems) {
                     bool strings = node.type == Node::Type::kArray && !node.children.empty() &&
                                    std::all_of(node.children.begin(), node.children.end(), IsText);
                     if (!strings) {
                       problems->Add(
                           node.origin,
                           key + " must be an array of strings, one at least, such as [\"/usr/bin/gzip\", \"-c\"]");
                       return;
                     }
                     field->clear();
                     for (const Node& child : node.children) field->push_back(child.text);
                   },
                   [field] {
                     if (field->empty()) return std::string();
                     std::vector<std::string> quoted;
                     for (const auto& word : *field) quoted.push_back(QuoteToml(word));
                     return "[" + Join(quoted) + "]";
                   }});
}

void Section::IntegerList(std::string key, std::vector<int>* field, int64_t min, int64_t max) {
  keys_.push_back(
      {key,
       [key, field, min, max](const Node& node, Problems* problems) {
         auto fits = [min, max](const Node& child) {
           return child.type == Node::Type::kInteger && child.integer >= min && child.integer <= max;
         };
         if (node.type != Node::Type::kArray || !std::all_of(node.children.begin(), node.children.end(), fits)) {
           problems->Add(node.origin, key + " must be an array of whole numbers from " + std::to_string(min) + " to " +
                                          std::to_string(max) + ", such as [64, 65]");
           return;
         }
         field->clear();
         for (const Node& child : node.children) field->push_back(static_cast<int>(child.integer));
       },
       [field] {
         std::vector<std::string> numbers;
         for (int number : *field) numbers.push_back(std::to_string(number));
         return numbers.empty() ? std::string() : "[" + Join(numbers) + "]";
       }});
}

void Section::TextMap(std::string key, std::map<std::string, std::string>* field) {
  keys_.push_back({key,
                   [key, field](const Node& node, Problems* problems) {
                     bool strings = node.type == Node::Type::kTable &&
                                    std::all_of(node.children.begin(), node.children.end(), IsText);
                     if (!strings) {
                       problems->Add(node.origin, key + " must be a table of strings, such as { LANG = \"C.UTF-8\" }");
                       return;
                     }
                     field->clear();
                     for (const Node& child : node.children) (*field)[child.name] = child.text;
                   },
                   [field] {
                     if (field->empty()) return std::string();
                     std::vector<std::string> pairs;
                     for (const auto& [name, value] : *field) pairs.push_back(TomlKey(name) + " = " + QuoteToml(value));
                     return "{ " + Join(pairs) + " }";
                   }});
}

void Section::Choice(std::string key, std::vector<std::string> names, std::function<void(size_t)> set,
                     std::function<size_t()> get) {
  keys_.push_back({key,
                   [key, names, set = std::move(set)](const Node& node, Problems* problems) {
                     auto found = IsText(node) ? std::find(names.begin(), names.end(), node.text) : names.end();
                     if (found == names.end()) {
                       problems->Add(node.origin, key + " must be one of " + Join(names) + ", not " + Found(node));
                     } else {
                       set(static_cast<size_t>(found - names.begin()));
                     }
                   },
                   [names, get = std::move(get)] { return QuoteToml(names[get()]); }});
}

void Section::Table(std::string key, Section* inner) {
  keys_.push_back({key,
                   [key, inner](const Node& node, Problems* problems) {
                     if (node.type != Node::Type::kTable) {
                       problems->Add(node.origin, key + " must be a table, not " + Found(node));
                     } else {
                       inner->Read(node, problems);
                     }
                   },
                   [inner] { return inner->PrintInline(); }});
}

void Section::Read(const Node& table, Problems* problems) {
  if (table.type != Node::Type::kTable) {
    problems->Add(table.origin, path_ + " must be a table, not " + Found(table));
    return;
  }
  for (const Node& child : table.children) {
    if (!ReadKey(child.name, child, problems)) {
      problems->Add(child.origin, "unknown key '" + child.name + "' in [" + path_ + "]" + Suggest(child.name, Names()));
    }
  }
}

bool Section::ReadKey(std::string_view key, const Node& value, Problems* problems) {
  auto found = std::find_if(keys_.begin(), keys_.end(), [key](const Key& k) { return k.name == key; });
  if (found == keys_.end()) return false;
  found->origin = value.origin;
  found->read(value, problems);
  return true;
}

std::string Section::Print() const {
  std::string text = "[" + path_ + "]\n";
  for (const Key& key : keys_) {
    std::string value = key.print();
    if (!value.empty()) text += key.name + " = " + value + "\n";
  }
  return text;
}

std::vector<std::pair<std::string, std::string>> Section::Values() const {
  std::vector<std::pair<std::string, std::string>> values;
  for (const Key& key : keys_) values.emplace_back(key.name, key.print());
  return values;
}

std::string Section::Origin(std::string_view key) const {
  auto found = std::find_if(keys_.begin(), keys_.end(), [key](const Key& k) { return k.name == key; });
  return found == keys_.end() ? "" : found->origin;
}

std::string Section::PrintInline() const {
  std::vector<std::string> pairs;
  for (const Key& key : keys_) {
    std::string value = key.print();
    if (!value.empty()) pairs.push_back(key.name + " = " + value);
  }
  return pairs.empty() ? "" : "{ " + Join(pairs) + " }";
}

std::vector<std::string> Section::Names() const {
  std::vector<std::string> names;
  for (const Key& key : keys_) names.push_back(key.name);
  return names;
}

}  // namespace millrace::config
