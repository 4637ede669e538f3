// SPDX-License-Identifier: BSD-2-Clause
// Counts the requests of a trace by operation, and shows them as a table like that of strace -c, or as one line of JSON.
#pragma once

#include "traced_request.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vfsproto::cli {

class TraceSummary {
public:
    void add(const TracedRequest& request, const TracedAnswer& answer);
    void add_unanswered(const TracedRequest& request);

    // The operation that took the most time comes first. Latencies are those of answered requests.
    [[nodiscard]] std::string table() const;
    [[nodiscard]] std::string json() const;

private:
    struct Row {
        const char* name = nullptr; // nullptr: there was none
        std::uint64_t calls = 0;
        std::uint64_t errors = 0;
        std::uint64_t unanswered = 0;
        std::uint64_t total = 0; // ns
        std::uint64_t most = 0;  // ns

        [[nodiscard]] std::uint64_t mean() const noexcept {
            return calls == unanswered ? 0 : total / (calls - unanswered);
        }
    };

    [[nodiscard]] Row& row_of(const TracedRequest& request);
    [[nodiscard]] std::vector<Row> sorted() const;
    [[nodiscard]] Row sum() const;

    std::array<Row, wire::kOpInfo.size()> rows_{};
};

} // namespace vfsproto::cli
