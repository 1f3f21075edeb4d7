// What `millraced --check-health` does: asks the daemon that runs with the same configuration whether it is well. For a
// container's health check, which then needs no tool and no copy of the address.
#pragma once

#include <chrono>

#include "base/status.h"
#include "config/config.h"

namespace millrace {

// Ready: /readyz answers 200 and the gRPC port takes a connection. Blocks, `patience` at most; where an address of the
// configuration is a name and no number, the system's look-up of it comes on top, and may take what DNS takes.
Status CheckHealth(const config::Config& config, std::chrono::milliseconds patience);

}  // namespace millrace
