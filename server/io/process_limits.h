// ProcessLimits as setrlimit(2) takes them, and those that this process may not give its children: nobody without
// CAP_SYS_RESOURCE may go above his own hard limit.
#pragma once

#include <sys/resource.h>

#include <array>
#include <cstddef>
#include <string>

#include "io/process.h"

namespace millrace::io {

struct ResourceLimit {
  __rlimit_resource resource;
  rlimit value;
};

struct ResourceLimits {
  std::array<ResourceLimit, 6> all;  // As many as there can be.
  size_t count = 0;
};

// With those that every child has, configured or not.
ResourceLimits ResourceLimitsOf(const ProcessLimits& limits);

// "600000 open files (the hard limit of this process is 524288, see ulimit -Hn)"; what is in brackets only where it is
// above that.
std::string DescribeLimit(const ResourceLimit& limit);

// The first that a child could not be given; empty: there is none.
std::string LimitProblem(const ProcessLimits& limits);

}  // namespace millrace::io
