// SPDX-License-Identifier: BSD-2-Clause
// Goes on after a short count, for the faces whose calls wait.
#pragma once

#include "vfsproto/posix/failure.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::posix {

// Calls `read(rest, offset)` until all was read or a count is 0. Returns the bytes read, or the first failure.
template <class Read>
[[nodiscard]] Expected<std::uint64_t> read_whole(std::span<std::byte> into, std::uint64_t offset, const Read& read) {
    std::uint64_t done = 0;
    while (done < into.size()) {
        const Expected<std::uint64_t> taken = read(into.subspan(done), offset + done);
        if (!taken) return taken.failure();
        if (*taken == 0) break;
        done += *taken;
    }
    return done;
}

// Calls `write(rest, offset)`, which never counts 0 bytes, until all was written. Returns the first failure.
template <class Write>
[[nodiscard]] Failure write_whole(std::span<const std::byte> from, std::uint64_t offset, const Write& write) {
    std::uint64_t done = 0;
    while (done < from.size()) {
        const Expected<std::uint64_t> taken = write(from.subspan(done), offset + done);
        if (!taken) return taken.failure();
        done += *taken;
    }
    return {};
}

} // namespace vfsproto::posix
