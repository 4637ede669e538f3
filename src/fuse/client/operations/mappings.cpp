// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/operations/mappings.hpp"

namespace vfsproto::client {

void prepare_removal(RemoveMapping& operation, const DaxRemoval& removal,
                     std::span<const wire::RemovemappingOne> entries) noexcept {
    const std::span<const std::byte> bytes = std::as_bytes(entries.first(removal.count));
    operation.call.args.count = removal.count;
    operation.call.data_in = {bytes.data(), static_cast<std::uint32_t>(bytes.size()), {}};
}

} // namespace vfsproto::client
