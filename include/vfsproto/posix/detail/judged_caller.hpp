// SPDX-License-Identifier: BSD-2-Clause
// Finds the caller whose permissions a mount judges itself (Permissions::judged_here).
#pragma once

#include "vfsproto/fuse/client/permissions.hpp"
#include "vfsproto/posix/credentials.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"

#include <optional>

namespace vfsproto::posix {

// Returns nothing where the server judges. The credentials have the server's ids, and outlive what is returned.
[[nodiscard]] inline std::optional<client::Subject> judged_caller(const NodeCache& cache,
                                                                  const Credentials& who) noexcept {
    if (cache.permissions() == Permissions::judged_by_server) return {};
    return client::Subject{who.caller, who.groups, cache.ids()};
}

// True if a caller was refused something that what was kept of a file may be wrong about.
[[nodiscard]] inline bool is_refusal(const Failure& why) noexcept {
    return why.error == abi::Errno::eacces || why.error == abi::Errno::eperm;
}

} // namespace vfsproto::posix
