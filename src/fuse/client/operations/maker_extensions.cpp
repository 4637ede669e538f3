// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/detail/maker_extensions.hpp"

#include "vfsproto/fuse/wire/extensions.hpp"

namespace vfsproto::client {

void MakerExtensions::add_to(Request& request, const SessionParams& params) noexcept {
    if (request.ext_len != 0 && request.ext != room_.data()) return;
    // The room is as large as both together.
    wire::ExtensionWriter writer(room_);
    if (params.flags.has(wire::InitFlag::security_ctx)) static_cast<void>(writer.add_security_contexts({}));
    if (group != kNoGroup && params.flags.has(wire::InitFlag::create_supp_group)) {
        static_cast<void>(writer.add_groups({&group, 1}));
    }
    request.ext = room_.data();
    request.ext_len = static_cast<std::uint16_t>(writer.bytes().size());
}

} // namespace vfsproto::client
