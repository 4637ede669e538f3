// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/fuse/wire/op_table.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

// Says what a call of TraceHook::finished tells.
enum class TraceEnd : std::uint8_t {
    over,      // the answer came, or the request failed for the reason `errc` says
    abandoned, // its caller went on; the device still has it, and another call tells its real end
    late,      // the end of an abandoned request
};

// Tells a TraceHook of one request. What the spans name is valid until the hook returns. One side of a request stands in
// each call: what goes to the server in `started`, what comes back in `finished`.
struct TraceEvent {
    const wire::OpInfo* op = nullptr;
    std::uint64_t unique = 0;
    std::uint64_t nodeid = 0;
    std::uint32_t sent = 0;     // bytes of the request
    std::uint32_t received = 0; // bytes of the reply (finished only)
    std::int32_t error = 0;     // Linux errno, positive (finished only)
    Errc errc = Errc::ok;       // finished only
    std::uint16_t slot = 0;     // no two requests of a lane have the same one at a time
    std::uint8_t lane = 0;      // 0: the session's own requests
    TraceEnd end = TraceEnd::over;

    // These are set in `started` alone.
    abi::Caller caller{};
    std::span<const std::byte> in{}; // the fixed struct, or as much of it as the server sees
    std::span<const char> name{};    // without NUL
    std::span<const char> name2{};   // without NUL
    // The records behind the struct of the session's BATCH_FORGET. The device may change them at any time.
    std::span<const std::byte> records{};

    // These are set in `finished` alone.
    std::span<const std::byte>
        out{}; // the fixed struct as far as it came, a copy the device cannot reach; none of a late one
    // The data behind it. The device may change registered memory at any time.
    std::span<const std::byte> data{};
};

} // namespace vfsproto::client
