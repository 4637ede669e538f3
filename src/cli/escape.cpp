// SPDX-License-Identifier: BSD-2-Clause
#include "escape.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace vfsproto::cli {
namespace {

// The length of the UTF-8 character at the front; 0 when there is none.
std::size_t character_length(std::string_view bytes) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char first = at(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || bytes.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xc0) != 0x80) return 0;
    }
    // Overlong forms, surrogates, beyond U+10FFFF.
    if ((first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) > 0x9f)) return 0;
    if ((first == 0xf0 && at(1) < 0x90) || (first == 0xf4 && at(1) > 0x8f)) return 0;
    return length;
}

bool is_control(std::string_view character) noexcept {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7f;
    // U+0080 to U+009F, which some terminals obey too.
    return character.size() == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

void append_escaped(std::string& out, std::string_view bytes) {
    for (const char byte : bytes) {
        if (byte == '\n') {
            out += "\\n";
        } else if (byte == '\t') {
            out += "\\t";
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        }
    }
}

} // namespace

bool is_utf8(std::string_view bytes) noexcept {
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        if (length == 0) return false;
        bytes.remove_prefix(length);
    }
    return true;
}

std::string printable(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        const std::string_view character = bytes.substr(0, length == 0 ? 1 : length);
        if (length == 0 || is_control(character)) {
            append_escaped(out, character);
        } else {
            out += character;
        }
        bytes.remove_prefix(character.size());
    }
    return out;
}

std::string to_base64(std::span<const std::byte> bytes) {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    const auto* const data = bytes.data();
    const std::size_t size = bytes.size();
    char* to = out.data();
    const auto put = [&to](std::uint32_t group, int digits) {
        for (int i = 0; i < digits; ++i) *to++ = kDigits[group >> (18 - 6 * i) & 63];
    };
    std::size_t at = 0;
    for (; size - at >= 3; at += 3) {
        put(static_cast<std::uint32_t>(data[at]) << 16 | static_cast<std::uint32_t>(data[at + 1]) << 8 |
                static_cast<std::uint32_t>(data[at + 2]),
            4);
    }
    if (size - at == 1) put(static_cast<std::uint32_t>(data[at]) << 16, 2);
    if (size - at == 2) {
        put(static_cast<std::uint32_t>(data[at]) << 16 | static_cast<std::uint32_t>(data[at + 1]) << 8, 3);
    }
    return out;
}

} // namespace vfsproto::cli
