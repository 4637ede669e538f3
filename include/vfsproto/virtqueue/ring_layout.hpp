// SPDX-License-Identifier: BSD-2-Clause
// What the rings of both kinds ask of a piece of memory they are laid out in, or find in one.
#pragma once

#include "vfsproto/base/fence.hpp"
#include "vfsproto/base/region.hpp"

namespace vfsproto {

// In the host's view and in the device's.
[[nodiscard]] inline bool is_aligned(const Region& area, std::size_t align) noexcept {
    return reinterpret_cast<std::uintptr_t>(area.host()) % align == 0 && to_number(area.device()) % align == 0;
}
// An area of a ring is never as large as 4 GiB.
[[nodiscard]] inline Segment area_segment(const Region& area) noexcept {
    return {area.device(), static_cast<std::uint32_t>(area.size())};
}

// The 16 bytes of an entry of an indirect table that is not aligned, each read exactly once.
struct UnalignedWords {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
};
[[nodiscard]] inline UnalignedWords load_unaligned_words(const std::byte* at) noexcept {
    std::uint64_t words[2] = {};
    for (unsigned i = 0; i < sizeof words; ++i) {
        const auto byte = load_relaxed(reinterpret_cast<const std::uint8_t&>(at[i]));
        words[i / 8] |= std::uint64_t{byte} << (i % 8 * 8);
    }
    return {words[0], words[1]};
}

} // namespace vfsproto
