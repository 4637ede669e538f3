// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/wire/init_flags.hpp"

#include <cstdint>

namespace vfsproto::client {

// The flags this client implements, and so may offer.
[[nodiscard]] wire::InitFlags implemented_init_flags() noexcept;

// The options that INIT asks for; the server may grant less.
struct InitOptions {
    wire::InitFlags flags = implemented_init_flags(); // a host that maps adds MAP_ALIGNMENT; other flags are ignored
    std::uint32_t max_readahead = 1u << 20;           // bytes
    std::uint16_t max_pages = 256;                    // the most one request of ours may carry
    std::uint32_t pid = 0;                            // the process, as the header of INIT names it
};

} // namespace vfsproto::client
