// SPDX-License-Identifier: BSD-2-Clause
// Says which requests a trace shows: those of some operations, on some nodes, that failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vfsproto::wire {
struct Field;
struct OpInfo;
} // namespace vfsproto::wire

namespace vfsproto::cli {

struct TracedRequest;
struct TracedAnswer;

class TraceFilter {
public:
    // Reads "READ,WRITE", "node=5", "error", "error=ENOENT", or several of them between commas. Alternatives of one kind
    // are one condition; conditions of different kinds all hold. False, and nothing changed, if one is not known.
    [[nodiscard]] bool add(std::string_view words);

    // Decides at the start, when the answer is not known yet.
    enum class Decision : std::uint8_t { hide, show, when_over };
    [[nodiscard]] Decision at_start(const TracedRequest& request) const;
    // Decides at the end. `answer` is nullptr for a request without one, which has failed.
    [[nodiscard]] bool at_end(const TracedRequest& request, const TracedAnswer* answer) const;

private:
    [[nodiscard]] bool add_one(std::string_view word);
    [[nodiscard]] bool has_operation(const TracedRequest& request) const;
    [[nodiscard]] bool names_node(const TracedRequest& request) const;
    [[nodiscard]] bool names_node(const TracedRequest& request, const TracedAnswer& answer) const;
    [[nodiscard]] bool names_node(std::span<const wire::Field> fields, std::span<const std::byte> from) const;
    [[nodiscard]] bool is_wanted(std::uint64_t nodeid) const;

    std::vector<const wire::OpInfo*> operations_;
    std::vector<std::uint64_t> nodes_;
    std::vector<std::int32_t> errors_;
    bool any_error_ = false;
};

} // namespace vfsproto::cli
