#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include "base/check.h"
#include "client/cli/json.h"
#include "client/words.h"

namespace millrace::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Timestamp and Duration have a text form of their own, which protobuf writes.
bool HasOwnForm(const Message& message) { return message.GetDescriptor()->file()->package() == "google.protobuf"; }

std::string OwnForm(const Message& message) {
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out);
  // Only a daemon that is not ours sends a time beyond the year 9999.
  return status.ok() ? out : "null";
}

// `index` is below 0 where the field is no list.
std::string ValueOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool one = index < 0;
  std::string scratch;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(one ? reflection.GetInt32(message, &field)
                                : reflection.GetRepeatedInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(one ? reflection.GetInt64(message, &field)
                                : reflection.GetRepeatedInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return JsonNumber(one ? reflection.GetDouble(message, &field)
                            : reflection.GetRepeatedDouble(message, &field, index));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? reflection.GetBool(message, &field) : reflection.GetRepeatedBool(message, &field, index)) ? "true"
                                                                                                              : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return JsonString(
          client::WordOf(*field.enum_type(), one ? reflection.GetEnumValue(message, &field)
                                                 : reflection.GetRepeatedEnumValue(message, &field, index)));
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& text = one ? reflection.GetStringReference(message, &field, &scratch)
                                    : reflection.GetRepeatedStringReference(message, &field, index, &scratch);
      return field.type() == FieldDescriptor::TYPE_BYTES ? '"' + Base64(text) + '"' : JsonString(text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& part =
          one ? reflection.GetMessage(message, &field) : reflection.GetRepeatedMessage(message, &field, index);
      return HasOwnForm(part) ? OwnForm(part) : ToJson(part);
    }
    default:
      break;
  }
  MR_CHECK(false, "the field %s has a type that no message of ours uses", field.full_name().c_str());
}

std::string MapOf(const Message& message, const FieldDescriptor& field, int size) {
  const FieldDescriptor& key = *field.message_type()->map_key();
  const FieldDescriptor& value = *field.message_type()->map_value();
  JsonObject out;
  for (int i = 0; i < size; ++i) {
    const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    out.AddRaw(entry.GetReflection()->GetString(entry, &key), ValueOf(entry, value, -1));
  }
  return out.Take();
}

bool IsNumberOrFlag(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_STRING && field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM &&
         field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
}

}  // namespace

std::string ToJson(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  JsonObject out;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_repeated()) {
      const int size = reflection.FieldSize(message, &field);
      if (size == 0) continue;
      if (field.is_map()) {
        out.AddRaw(field.json_name(), MapOf(message, field, size));
        continue;
      }
      std::string values;
      for (int j = 0; j < size; ++j) values += (j > 0 ? "," : "") + ValueOf(message, field, j);
      out.AddRaw(field.json_name(), "[" + values + "]");
    } else if (reflection.HasField(message, &field) || (!field.has_presence() && IsNumberOrFlag(field))) {
      out.AddRaw(field.json_name(), ValueOf(message, field, -1));
    }
  }
  return out.Take();
}

}  // namespace millrace::cli
