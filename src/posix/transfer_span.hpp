// SPDX-License-Identifier: BSD-2-Clause
#pragma once

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

} // namespace vfsproto::posix
