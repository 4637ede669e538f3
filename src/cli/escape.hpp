// SPDX-License-Identifier: BSD-2-Clause
// Bytes that came from a server or a host, made fit for people and for JSON.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace vfsproto::cli {

[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

// Returns the text for a terminal or one line of a message: control characters as
// , \t or \x1b, bytes that are no UTF-8 as \xNN.
[[nodiscard]] std::string printable(std::string_view bytes);

[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);

} // namespace vfsproto::cli
