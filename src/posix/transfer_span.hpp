// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"
#include "vfsproto/fuse/client/transfer.hpp"
#include "vfsproto/posix/file.hpp"

#include <cstdint>
#include <span>

namespace vfsproto::posix {

// Returns how a lane is told to read `bytes` of a file or to write them, which it then only reads. `registered` is the region
// they lie in; nullptr means memory the device cannot reach.
[[nodiscard]] inline client::TransferSpan span_of(const File& file, std::span<const std::byte> bytes,
                                                  std::uint64_t offset, const Region* registered) noexcept {
    client::TransferSpan span;
    span.nodeid = file.nodeid();
    span.fh = file.fh();
    span.offset = offset;
    span.host = const_cast<std::byte*>(bytes.data());
    span.len = bytes.size();
    span.open_flags = file.flags();
    if (registered != nullptr) span.lies_in(*registered);
    return span;
}

// Returns how one READ or WRITE (Op) of this caller is made. A WRITE says if it takes set-id bits away; client::LongTransfer
// says that itself.
template <wire::Opcode Op>
[[nodiscard]] inline client::TransferSpan span_of(const client::Client& client, const client::Caller& caller,
                                                  const File& file, std::span<const std::byte> bytes,
                                                  std::uint64_t offset, const Region* registered) noexcept {
    client::TransferSpan span = span_of(file, bytes, offset, registered);
    if constexpr (Op == wire::Opcode::write) {
        if (client.kills_privileges(caller)) span.transfer_flags = wire::kWriteKillSuidgid;
    }
    return span;
}

} // namespace vfsproto::posix
