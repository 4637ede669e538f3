// SPDX-License-Identifier: BSD-2-Clause
// A map of ids by ranges, as /proc/PID/uid_map has them: a ready-made abi::IdMap.
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/base/errc.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::client {

using abi::IdKind;
using abi::IdMap;
using abi::kNoId;
using abi::kOverflowId;

// Maps `count` ids from `client` on to as many from `server` on.
struct IdRange {
    std::uint32_t client = 0;
    std::uint32_t server = 0;
    std::uint32_t count = 0;
};

// Maps ids of one kind. Without a range each id is its own image; else those in no range have none.
class IdRanges {
public:
    static constexpr std::size_t kMost = 16;

    // Errors: bad_argument for an empty range, one that reaches kNoId, and one that shares an id with an earlier one on either side;
    // no_memory for more than kMost.
    [[nodiscard]] Errc add(const IdRange& range) noexcept;
    [[nodiscard]] std::uint32_t to_server(std::uint32_t id) const noexcept;
    [[nodiscard]] std::uint32_t to_client(std::uint32_t id) const noexcept;
    [[nodiscard]] std::span<const IdRange> ranges() const noexcept { return {ranges_, count_}; }

private:
    IdRange ranges_[kMost]{};
    std::size_t count_ = 0;
};

// A map by ranges for both kinds of ids.
struct IdRangeMap {
    IdRanges users{};
    IdRanges groups{};

    // Returns the hook, which reads this object as long as it is used. Without any range it is the hook without functions.
    [[nodiscard]] IdMap hook() const noexcept;
};

} // namespace vfsproto::client
