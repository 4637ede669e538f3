// SPDX-License-Identifier: BSD-2-Clause
// Chooses the supplementary group of a caller that a server is told of when something is made in a directory.
#pragma once

#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/fuse/client/operations/detail/maker_extensions.hpp"
#include "vfsproto/posix/credentials.hpp"

#include <algorithm>
#include <cstdint>

namespace vfsproto::posix {

// The credentials and the parameters outlive it.
class MakerGroup {
public:
    MakerGroup(const Credentials& who, const client::SessionParams& params) noexcept : who_(who), params_(params) {}

    [[nodiscard]] const Credentials& who() const noexcept { return who_; }
    // True if of() must be asked, with the attributes of the directory.
    [[nodiscard]] bool depends_on_directory() const noexcept {
        return !who_.groups.empty() && params_.flags.has(wire::InitFlag::create_supp_group);
    }
    // Returns the group of the directory if the caller is in it by a supplementary group alone; else kNoGroup, as always when
    // it does not depend on the directory.
    [[nodiscard]] std::uint32_t of(const wire::Attr& directory) const noexcept {
        const bool listed = std::find(who_.groups.begin(), who_.groups.end(), directory.gid) != who_.groups.end();
        const bool matters = depends_on_directory() && listed && directory.gid != who_.caller.gid;
        return matters ? directory.gid : client::MakerExtensions::kNoGroup;
    }

private:
    const Credentials& who_;
    const client::SessionParams& params_;
};

} // namespace vfsproto::posix
