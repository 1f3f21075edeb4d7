// Words for the enums of the proto as people use them: QUEUED for JOB_STATE_QUEUED. Filters, the command and its JSON
// have these words.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>

#include <string>
#include <string_view>

namespace millrace::client {

// The name of a value without its prefix, which is the name of the enum. "UNKNOWN_12" for a number that this program
// does not know, because the daemon is newer.
std::string WordOf(const google::protobuf::EnumDescriptor& type, int value);

template <typename Enum>
std::string Word(Enum value) {
  return WordOf(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

// The other way round, in any case of letters. False: no such word, or the one for "not given".
bool FindWord(const google::protobuf::EnumDescriptor& type, std::string_view word, int* value);

template <typename Enum>
bool ParseWord(std::string_view word, Enum* value) {
  int number = 0;
  if (!FindWord(*google::protobuf::GetEnumDescriptor<Enum>(), word, &number)) return false;
  *value = static_cast<Enum>(number);
  return true;
}

}  // namespace millrace::client
