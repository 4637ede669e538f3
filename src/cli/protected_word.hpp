// SPDX-License-Identifier: BSD-2-Clause
// The parser has a syntax of its own for some words: "[a,b]" is a list, "++" ends a command, "{}" is nothing. A word that is
// protected from that begins with a NUL byte, which no word of a command line can hold.
#pragma once

#include <string>
#include <string_view>

namespace vfsproto::cli {

[[nodiscard]] inline std::string protect(std::string_view word) { return std::string(1, '\0').append(word); }

// Returns the word as the user wrote it, protected or not.
[[nodiscard]] inline std::string_view as_typed(std::string_view word) noexcept {
    return word.substr(!word.empty() && word.front() == '\0' ? 1 : 0);
}

// True for a word that stands where an option may stand, and looks like one.
[[nodiscard]] inline bool looks_like_option(std::string_view word) noexcept {
    return word.size() > 1 && word.front() == '-';
}

} // namespace vfsproto::cli
