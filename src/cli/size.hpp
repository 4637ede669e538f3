// SPDX-License-Identifier: BSD-2-Clause
// Numbers of bytes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vfsproto::cli {

// Reads a size as truncate(1) does: "512", "4K", "1MiB" in powers of 1024, "2GB" in powers of 1000. Returns nothing when `text`
// is no size.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

} // namespace vfsproto::cli
