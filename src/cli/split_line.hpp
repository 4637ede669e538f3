// SPDX-License-Identifier: BSD-2-Clause
// Splits a line of a script into words, as sh(1) does without its expansions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::cli {

struct SplitLine {
    std::vector<std::string> words;
    std::size_t last = 0;        // where in the line its last word begins; the end of the line behind a blank
    const char* wrong = nullptr; // says why the line has no words; else nullptr
};

// Blanks part words. '...' keeps everything between, "..." everything but \" and \\, and \ keeps the character behind it. A #
// where a word could begin makes the rest a comment.
[[nodiscard]] SplitLine split_line(std::string_view line);

// Returns the text that split_line() makes this one word of, as short as a person would write it.
[[nodiscard]] std::string quote_word(std::string_view word);

} // namespace vfsproto::cli
