// SPDX-License-Identifier: BSD-2-Clause
// Compares the bytes of two files, here or at the server.
#pragma once

#include "contents.hpp"

#include <cstdint>
#include <functional>
#include <span>

namespace vfsproto::cli {

// `failed` says which of the two could not be read: `from` is the first. Then the rest means nothing.
struct ComparedContents {
    CopyResult failed{};
    std::uint64_t equal_bytes = 0; // how many bytes are equal, from the first on
    bool first_ended = false;      // true if the first file ends behind these
    bool second_ended = false;     // true if the second file does

    [[nodiscard]] bool are_equal() const noexcept { return first_ended && second_ended; }
    // True if all of the second file is how the first one begins.
    [[nodiscard]] bool second_is_beginning() const noexcept { return second_ended; }
};

// Reads both files from their first bytes, in pieces of half of `buffer`, up to the first difference or the end of one.
// Sizes that were told do not count, and holes are read as zeros. Calls `compared(bytes)` after each piece; false stops it with
// EINTR.
[[nodiscard]] ComparedContents compare_contents(Contents& first, Contents& second, std::span<std::byte> buffer,
                                                const std::function<bool(std::uint64_t)>& compared);

} // namespace vfsproto::cli
