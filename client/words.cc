#include "client/words.h"

#include <cctype>

#include "client/client.h"

namespace millrace::client {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;

char Upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }

// "JobState" has the prefix "JOB_STATE_".
std::string PrefixOf(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (!prefix.empty() && std::isupper(static_cast<unsigned char>(c))) prefix += '_';
    prefix += Upper(c);
  }
  return prefix + '_';
}

}  // namespace

std::string WordOf(const EnumDescriptor& type, int value) {
  const EnumValueDescriptor* known = type.FindValueByNumber(value);
  if (known == nullptr) return "UNKNOWN_" + std::to_string(value);
  const std::string& name = known->name();
  const std::string prefix = PrefixOf(type);
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

bool FindWord(const EnumDescriptor& type, std::string_view word, int* value) {
  std::string name = PrefixOf(type);
  for (const char c : word) name += Upper(c);
  const EnumValueDescriptor* found = type.FindValueByName(name);
  if (found == nullptr || found->number() == 0) return false;
  *value = found->number();
  return true;
}

bool IsTerminal(v1::JobState state) { return state >= v1::JOB_STATE_SUCCEEDED; }

}  // namespace millrace::client
