// SPDX-License-Identifier: BSD-2-Clause
// Bytes of a message seen as text.
#pragma once

#include <cstddef>
#include <span>

namespace vfsproto {

// Returns the bytes as characters, without a copy. There need not be a NUL. Any context.
[[nodiscard]] inline const char* characters(std::span<const std::byte> bytes) noexcept {
    return reinterpret_cast<const char*>(bytes.data());
}

} // namespace vfsproto
