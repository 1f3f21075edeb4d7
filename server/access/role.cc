#include "access/role.h"

#include <algorithm>
#include <array>
#include <optional>

namespace millrace::access {

namespace {

constexpr std::array<const char*, kRoles> kWords = {"none", "view", "submit", "work", "operate", "admin"};

std::optional<Role> RoleOf(std::string_view word) {
  for (int i = 1; i < kRoles; ++i) {
    if (word == kWords[static_cast<size_t>(i)]) return static_cast<Role>(i);
  }
  return std::nullopt;
}

}  // namespace

const char* ToString(Role role) { return kWords[static_cast<size_t>(role)]; }

Result<Roles> Roles::Parse(std::string_view list) {
  Roles roles;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view word = list.substr(begin, end - begin);
    const std::optional<Role> role = RoleOf(word);
    if (!role || roles.Has(*role)) {
      return InvalidArgument("BAD_ROLE", "'" + std::string(word.substr(0, 100)) + "' " +
                                             (role ? "is named twice" : "is no role") +
                                             "; the roles are view, submit, work, operate and admin, and several are "
                                             "separated by commas")
          .Field("roles");
    }
    roles.bits_ |= Bit(*role);
    begin = end + 1;
  }
  return roles;
}

std::string Roles::ToString() const {
  std::string words;
  for (int i = 1; i < kRoles; ++i) {
    if (Has(static_cast<Role>(i))) words += (words.empty() ? "" : ",") + std::string(kWords[static_cast<size_t>(i)]);
  }
  return words;
}

}  // namespace millrace::access
