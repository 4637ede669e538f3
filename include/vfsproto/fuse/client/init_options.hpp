// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/wire/init_flags.hpp"

#include <cstdint>

namespace vfsproto::client {

// The flags this client implements, and so may offer.
[[nodiscard]] wire::InitFlags implemented_init_flags() noexcept;

// The options that INIT asks for; the server may grant less.
struct InitOptions {
    wire::InitFlags flags = implemented_init_flags(); // and MAP_ALIGNMENT of a host that maps; all else is left out
    std::uint32_t max_readahead = 1u << 20;           // bytes
    std::uint16_t max_pages = 256;                    // the most one request of ours may carry
    std::uint32_t pid = 0;                            // of the process, for the header
};

} // namespace vfsproto::client
