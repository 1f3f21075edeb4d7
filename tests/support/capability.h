// The calling thread, and those that it starts, without a capability for a while: root is like others then.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

namespace millrace::test {

class WithoutCapability {
 public:
  explicit WithoutCapability(int capability) {
    MR_CHECK(syscall(SYS_capget, &header_, before_) == 0, "the capabilities cannot be read");
    __user_cap_data_struct less[2] = {before_[0], before_[1]};
    less[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
    MR_CHECK(syscall(SYS_capset, &header_, less) == 0, "the capability cannot be given up");
  }
  ~WithoutCapability() { syscall(SYS_capset, &header_, before_); }
  WithoutCapability(const WithoutCapability&) = delete;
  WithoutCapability& operator=(const WithoutCapability&) = delete;

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[_LINUX_CAPABILITY_U32S_3] = {};
};

}  // namespace millrace::test
