// SPDX-License-Identifier: BSD-2-Clause
// The wishes of a user for a trace.
#pragma once

#include "trace_filter.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

namespace vfsproto::cli {

enum class TraceFormat : std::uint8_t { text, json, chrome };

struct TraceOptions {
    std::string file; // "-": standard error; empty: none
    TraceFormat format = TraceFormat::text;
    TraceFilter only{};
    bool summary = false;

    // Reads "text", "json" or "chrome"; false for another word.
    [[nodiscard]] bool set_format(std::string_view word) noexcept {
        constexpr std::string_view kWords[] = {"text", "json", "chrome"};
        const auto found = std::find(std::begin(kWords), std::end(kWords), word);
        if (found == std::end(kWords)) return false;
        format = static_cast<TraceFormat>(found - std::begin(kWords));
        return true;
    }
    // Returns what messages call the trace by.
    [[nodiscard]] std::string name() const { return file == "-" ? "standard error" : file; }
};

} // namespace vfsproto::cli
