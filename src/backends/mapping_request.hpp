// SPDX-License-Identifier: BSD-2-Clause
// SETUPMAPPING and REMOVEMAPPING are checked here, whatever the file system behind the window is.
#pragma once

#include "vfsproto/backends/mapping_sink.hpp"
#include "vfsproto/fuse/server/request_view.hpp"

#include <cstdint>

namespace vfsproto::backends {

// True if the piece lies in the window, the file has such bytes, and the flags are known and ask for something.
[[nodiscard]] inline bool is_sound(const MappingSink& window, const wire::SetupmappingIn& in) noexcept {
    constexpr wire::u64 kKnown = wire::kSetupmappingRead | wire::kSetupmappingWrite;
    if ((in.flags & kKnown) == 0 || (in.flags & ~kKnown) != 0 || !window.fits({in.moffset, in.len})) return false;
    const std::uint64_t unit = std::uint64_t{1} << window.alignment();
    return in.foffset % unit == 0 && in.foffset <= INT64_MAX - in.len;
}

[[nodiscard]] inline WindowAccess access_of(const wire::SetupmappingIn& in) noexcept {
    return (in.flags & wire::kSetupmappingWrite) != 0 ? WindowAccess::write : WindowAccess::read;
}

// Calls `unmap(piece)`, which returns 0 or an errno, for each entry of a REMOVEMAPPING. Returns 0 or an errno. Entries that make no
// sense are found before any is removed. Memory of a client that changes meanwhile is checked once more by the window.
template <class Unmap> [[nodiscard]] int remove_mappings(const MappingSink& window,
                                                         const server::RequestOf<wire::Opcode::removemapping>& request,
                                                         Unmap&& unmap) noexcept {
    if (request.in.count == 0) return static_cast<int>(abi::Errno::einval);
    wire::RemovemappingOne one{};
    for (auto reader = server::records(request); reader.next(one);) {
        if (!window.fits({one.moffset, one.len})) return static_cast<int>(abi::Errno::einval);
    }
    int error = 0;
    for (auto reader = server::records(request); reader.next(one);) {
        const int failed = unmap(WindowPiece{one.moffset, one.len});
        if (failed != 0) error = failed;
    }
    return error;
}

} // namespace vfsproto::backends
