// SPDX-License-Identifier: BSD-2-Clause
// Copies to and from memory a peer can change at the same time: in once, then checked; never read again.
#pragma once

#include "vfsproto/config.hpp"

#include <cstddef>

namespace vfsproto {

// Copies `size` bytes the peer may be changing. The compiler may not read the source again afterwards, so that later checks are
// of the copy. Any context.
inline void copy_from_peer(void* to, const std::byte* from, std::size_t size) noexcept {
    VFSPROTO_SHARED_ACCESS();
    __builtin_memcpy(to, from, size);
    __asm__ volatile("" : : : "memory");
}

// Copies `size` bytes to where the peer will read them. Publishing them is the ring's work. Any context.
inline void copy_to_peer(std::byte* to, const void* from, std::size_t size) noexcept {
    VFSPROTO_SHARED_ACCESS();
    __builtin_memcpy(to, from, size);
}

} // namespace vfsproto
