// Roles: what a caller may do. Each rpc asks for one role; whoever calls has some.
//
//   view     looks at jobs, pools and workers
//   submit   view; and brings jobs, takes them back, repeats them
//   work     runs jobs as a remote worker, and sees nothing but what it is given
//   operate  submit; and changes pools and workers
//   admin    all of these; and changes how the daemon works: backups, tokens
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::access {

enum class Role : uint8_t {
  kNone,  // Everybody who reaches the port has it: a load balancer that asks for health.
  kView,
  kSubmit,
  kWork,
  kOperate,
  kAdmin,
};
inline constexpr int kRoles = 6;

const char* ToString(Role role);  // "view"; of kNone "none".

// A set of roles. A value.
class Roles {
 public:
  constexpr Roles() = default;
  constexpr Roles(std::initializer_list<Role> roles) {
    for (const Role role : roles) bits_ |= Bit(role);
  }

  // INVALID_ARGUMENT BAD_ROLE: an unknown word, one that comes twice, or none at all.
  static Result<Roles> Parse(std::string_view list);  // "view,work"
  std::string ToString() const;                       // In the order of Role.

  constexpr bool empty() const { return bits_ == 0; }
  constexpr bool Has(Role role) const { return (bits_ & Bit(role)) != 0; }
  // May whoever has these do what asks for `needed`?
  constexpr bool Allow(Role needed) const {
    switch (needed) {
      case Role::kNone:
        return true;
      case Role::kView:
        return Has(Role::kView) || Allow(Role::kSubmit);
      case Role::kSubmit:
        return Has(Role::kSubmit) || Allow(Role::kOperate);
      case Role::kWork:
        return Has(Role::kWork) || Has(Role::kAdmin);
      case Role::kOperate:
        return Has(Role::kOperate) || Has(Role::kAdmin);
      case Role::kAdmin:
        return Has(Role::kAdmin);
    }
    return false;
  }
  constexpr bool operator==(const Roles&) const = default;

 private:
  static constexpr uint8_t Bit(Role role) {
    return role == Role::kNone ? 0 : static_cast<uint8_t>(1 << static_cast<int>(role));
  }
  uint8_t bits_ = 0;
};

}  // namespace millrace::access
