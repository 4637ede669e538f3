// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/xattrs.hpp"

namespace vfsproto::client {

void prepare_setxattr(SetXattr& operation, const SessionParams& params, std::span<const char> name,
                      std::span<const std::byte> value, std::uint32_t flags) noexcept {
    auto& call = operation.call;
    call.args = {};
    call.args.size = static_cast<std::uint32_t>(value.size());
    call.args.flags = flags;
    call.in_size = static_cast<std::uint16_t>(
        params.flags.has(wire::InitFlag::setxattr_ext) ? sizeof(wire::SetxattrIn) : wire::kSetxattrInCompatSize);
    call.name = name;
    call.data_in = {value.data(), call.args.size, {}};
}

} // namespace vfsproto::client
