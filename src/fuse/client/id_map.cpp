// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/id_map.hpp"

namespace vfsproto::client {

namespace {

// True if `id` is one of the `count` ids from `first` on. One comparison: what lies below `first` wraps to large numbers.
constexpr bool lies_in(std::uint32_t id, std::uint32_t first, std::uint32_t count) noexcept {
    return id - first < count;
}

// Both have at least one id, and end below kNoId.
constexpr bool overlap(std::uint32_t first, std::uint32_t count, std::uint32_t second, std::uint32_t others) noexcept {
    return lies_in(first, second, others) || lies_in(second, first, count);
}

constexpr bool is_sound(std::uint32_t first, std::uint32_t count) noexcept {
    return count != 0 && count <= kNoId - first;
}

const IdRanges& of_kind(const void* context, IdKind kind) noexcept {
    const auto& map = *static_cast<const IdRangeMap*>(context);
    return kind == IdKind::user ? map.users : map.groups;
}

} // namespace

Errc IdRanges::add(const IdRange& range) noexcept {
    if (!is_sound(range.client, range.count) || !is_sound(range.server, range.count)) return Errc::bad_argument;
    for (const IdRange& other : ranges()) {
        if (overlap(range.client, range.count, other.client, other.count)) return Errc::bad_argument;
        if (overlap(range.server, range.count, other.server, other.count)) return Errc::bad_argument;
    }
    if (count_ == kMost) return Errc::no_memory;
    ranges_[count_++] = range;
    return Errc::ok;
}

std::uint32_t IdRanges::to_server(std::uint32_t id) const noexcept {
    for (const IdRange& range : ranges()) {
        if (lies_in(id, range.client, range.count)) return range.server + (id - range.client);
    }
    return count_ == 0 ? id : kNoId;
}

std::uint32_t IdRanges::to_client(std::uint32_t id) const noexcept {
    for (const IdRange& range : ranges()) {
        if (lies_in(id, range.server, range.count)) return range.client + (id - range.server);
    }
    return count_ == 0 ? id : kNoId;
}

IdMap IdRangeMap::hook() const noexcept {
    if (users.ranges().empty() && groups.ranges().empty()) return {};
    return {[](const void* context, IdKind kind, std::uint32_t id) noexcept {
                return of_kind(context, kind).to_server(id);
            },
            [](const void* context, IdKind kind, std::uint32_t id) noexcept {
                return of_kind(context, kind).to_client(id);
            },
            this};
}

} // namespace vfsproto::client
