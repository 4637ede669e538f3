// SPDX-License-Identifier: BSD-2-Clause
// A window of four ranges of 4 KiB whose server is the test.
#pragma once

#include "support/catch.hpp"
#include "vfsproto/fuse/client/dax_window.hpp"

#include <vector>

namespace vfsproto::test {

inline constexpr std::uint64_t kDaxRange = 4096;
inline constexpr std::uint64_t kDaxSize = 1 << 20; // of every file, unless a test says otherwise
inline constexpr std::uint64_t kDaxNode = 7;

struct DaxFixture {
    using Kind = client::DaxAnswer::Kind;
    using Why = client::DaxAnswer::Why;
    using Errno = abi::Errno;
    static constexpr auto kRead = client::MapAccess::read;
    static constexpr auto kWrite = client::MapAccess::write;

    explicit DaxFixture(std::size_t count = 4) : ranges(count), buckets(count, nullptr) {
        REQUIRE(window.init({count * kDaxRange, 12, kDaxRange}, ranges, buckets) == Errc::ok);
    }

    client::DaxAnswer ask(std::uint64_t nodeid, std::uint64_t offset, client::MapAccess access = kRead) {
        return window.acquire({nodeid, offset, 100, kDaxSize, access});
    }
    // Maps the range of these bytes. It is used by the caller then.
    client::DaxRange& map(std::uint64_t nodeid, std::uint64_t offset, client::MapAccess access = kRead) {
        const client::DaxAnswer answer = ask(nodeid, offset, access);
        REQUIRE(answer.kind == Kind::set_up);
        REQUIRE(window.handle_set_up(*answer.range, Errc::ok, Errno::none));
        return *answer.range;
    }
    // Maps the range of these bytes, and leaves it to nobody.
    client::DaxRange& map_idle(std::uint64_t nodeid, std::uint64_t offset, client::MapAccess access = kRead) {
        client::DaxRange& range = map(nodeid, offset, access);
        window.release(range);
        return range;
    }
    // Removes what a host would reclaim, and returns where it lay in the window.
    std::vector<std::uint64_t> reclaim(std::size_t most = 1) {
        client::DaxRemoval removal;
        std::vector<wire::RemovemappingOne> room(most);
        if (!window.take_removal(removal, room)) return {};
        std::vector<std::uint64_t> places;
        for (std::uint32_t i = 0; i < removal.count; ++i) places.push_back(room[i].moffset);
        window.handle_removed(removal, Errc::ok, Errno::none);
        return places;
    }

    std::vector<client::DaxRange> ranges;
    std::vector<client::DaxRange*> buckets;
    client::DaxWindow window;
};

} // namespace vfsproto::test
