// SPDX-License-Identifier: BSD-2-Clause
// Numbers of bytes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vfsproto::cli {

// "512", "4K", "1MiB" in powers of 1024, "2GB" in powers of 1000, as truncate(1) takes them. Nothing when `text` is no size.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

} // namespace vfsproto::cli
