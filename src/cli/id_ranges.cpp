// SPDX-License-Identifier: BSD-2-Clause
#include "id_ranges.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace vfsproto::cli {

namespace {

// Reads one number and what ends it: a colon, or the end of the text for '\0'. Both are taken off.
std::optional<std::uint32_t> take_number(std::string_view& text, char end) {
    std::uint32_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    if (read.ec != std::errc()) return std::nullopt;
    if (end == '\0') return text.empty() ? std::optional(number) : std::nullopt;
    if (!text.starts_with(end)) return std::nullopt;
    text.remove_prefix(1);
    return number;
}

std::optional<client::IdRange> range_of(std::string_view text) {
    const auto here = take_number(text, ':');
    const auto there = here ? take_number(text, ':') : std::nullopt;
    const auto count = there ? take_number(text, '\0') : std::nullopt;
    if (!count) return std::nullopt;
    return client::IdRange{*here, *there, *count};
}

} // namespace

std::string add_id_ranges(std::string_view option, const std::vector<std::string>& words, client::IdRanges& to) {
    for (const std::string& word : words) {
        const std::optional<client::IdRange> range = range_of(word);
        if (!range) return fmt::format("{}: '{}' is not HERE:SERVER:COUNT, such as 0:100000:65536", option, word);
        switch (to.add(*range)) {
        case Errc::ok: break;
        case Errc::no_memory: return fmt::format("{}: more than {} ranges", option, client::IdRanges::kMost);
        default:
            return fmt::format("{}: '{}' is empty, reaches 4294967295, or shares an id with another", option, word);
        }
    }
    return {};
}

} // namespace vfsproto::cli
