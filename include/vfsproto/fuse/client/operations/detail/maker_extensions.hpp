// SPDX-License-Identifier: BSD-2-Clause
// The extensions of a request that makes a file (7.36, 7.38): what INIT agreed on, and what is known of the caller.
#pragma once

#include "vfsproto/fuse/client/request.hpp"
#include "vfsproto/fuse/client/session_params.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vfsproto::client {

// Lies in storage of the operation that owns the request, and stays in place as long as that is in flight.
class MakerExtensions {
public:
    static constexpr std::uint32_t kNoGroup = ~std::uint32_t{0};

    // The group of the directory, if it is a supplementary group of the caller and not the caller's own gid; else kNoGroup.
    // Set before start(). A server that agreed on CREATE_SUPP_GROUP knows no other groups of the caller. One is told, because
    // virtiofsd before 1.14 takes no more, and no other group counts for what is made (Linux fs/fuse/dir.c).
    std::uint32_t group = kNoGroup;

    // Adds to the request what was agreed on. A server that agreed on security contexts wants to be told, even if there is
    // none. Extensions that the caller has encoded itself are left as they are.
    void add_to(Request& request, const SessionParams& params) noexcept;

private:
    static constexpr std::size_t kGroupSize =
        sizeof(wire::ExtHeader) + ((sizeof(wire::SuppGroups) + sizeof(std::uint32_t) + 7) & ~std::size_t{7});

    std::array<std::byte, sizeof(wire::ExtHeader) + kGroupSize> room_;
};

} // namespace vfsproto::client
