// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstdint>

namespace vfsproto::client {

// Tells a TraceHook of one request.
struct TraceEvent {
    const wire::OpInfo* op = nullptr;
    std::uint64_t unique = 0;
    std::uint64_t nodeid = 0;
    std::uint32_t sent = 0;     // bytes of the request
    std::uint32_t received = 0; // bytes of the reply (finished only)
    std::int32_t error = 0;     // Linux errno, positive (finished only)
    Errc errc = Errc::ok;       // finished only
    std::uint16_t slot = 0;
    std::uint8_t lane = 0;
};

} // namespace vfsproto::client
