// SPDX-License-Identifier: BSD-2-Clause
// A front end joined to a scripted back end, and rings for it to set up.
#pragma once

#include "unit/vhost_user/scripted_back_end.hpp"

#include "vfsproto/backends/vhost_user.hpp"

namespace vfsproto::test {

inline constexpr std::size_t kSmallArena = std::size_t{64} << 10;

inline backends::VhostUserOptions options_for(ScriptedBackEnd& back_end) {
    backends::VhostUserOptions options;
    options.connected_socket = back_end.start();
    options.socket_path = "scripted";
    options.reply_timeout = std::chrono::milliseconds(2000);
    options.arena_size = kSmallArena;
    return options;
}

inline QueueAddresses lay_out(const Region& memory, std::uint16_t size = 4) {
    const auto piece = [&](std::size_t offset, std::uint32_t len) {
        return memory.segment(memory.host() + offset, len);
    };
    return {size, piece(0, 64), piece(64, 14), piece(128, 38)};
}

} // namespace vfsproto::test
