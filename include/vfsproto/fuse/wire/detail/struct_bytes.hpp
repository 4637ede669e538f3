// SPDX-License-Identifier: BSD-2-Clause
// Structs go into messages and out of them by copy: neither alignment nor a peer that keeps writing can hurt.
#pragma once

#include "vfsproto/fuse/wire/structs.hpp"

#include <cstddef>
#include <span>
#include <type_traits>

namespace vfsproto::wire {

// Writes a struct to `at`, which has room for it.
template <class S> inline void put_struct(std::byte* at, const S& from) noexcept {
    static_assert(std::is_trivially_copyable_v<S>);
    __builtin_memcpy(at, &from, sizeof(S));
}
// Returns a copy of the struct at `at`. For memory of our own; a peer's is read with copy_from_peer().
template <class S> [[nodiscard]] inline S get_struct(const std::byte* at) noexcept {
    static_assert(std::is_trivially_copyable_v<S>);
    S to;
    __builtin_memcpy(&to, at, sizeof(S));
    return to;
}
// Returns the bytes a struct has on the wire: none for None.
template <class S> [[nodiscard]] inline std::span<const std::byte> bytes_of(const S& from) noexcept {
    return std::as_bytes(std::span<const S, 1>(&from, 1)).first(kWireSize<S>);
}

} // namespace vfsproto::wire
