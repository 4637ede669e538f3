// SPDX-License-Identifier: BSD-2-Clause
// These options say what a user wants of a trace.
#pragma once

#include "trace_filter.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace vfsproto::cli {

enum class TraceFormat : std::uint8_t { text, json, chrome };

struct TraceOptions {
    std::string file; // "-": standard error; empty: none
    TraceFormat format = TraceFormat::text;
    TraceFilter only{};
    bool summary = false;

    // Reads "text", "json" or "chrome"; false for another word.
    [[nodiscard]] bool set_format(std::string_view word) noexcept {
        constexpr std::pair<std::string_view, TraceFormat> kWords[] = {
            {"text", TraceFormat::text}, {"json", TraceFormat::json}, {"chrome", TraceFormat::chrome}};
        for (const auto& [known, value] : kWords) {
            if (known != word) continue;
            format = value;
            return true;
        }
        return false;
    }
    // Returns what is wrong with the options together; empty: nothing.
    [[nodiscard]] std::string_view contradiction() const noexcept {
        const bool spoils = summary && file == "-" && format == TraceFormat::chrome;
        return spoils ? "--trace-summary would follow the JSON of --trace-format chrome on standard error: give "
                        "--trace a file"
                      : "";
    }
    // Returns what messages call the trace by; a summary alone goes to standard error.
    [[nodiscard]] std::string name() const { return file.empty() || file == "-" ? "standard error" : file; }
};

} // namespace vfsproto::cli
