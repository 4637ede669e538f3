// SPDX-License-Identifier: BSD-2-Clause
// The tests ask which ids are images of which, by ranges and by a hook of one's own.
#include "support/catch.hpp"
#include "vfsproto/abi/attributes.hpp"
#include "vfsproto/fuse/client/id_map.hpp"

using namespace vfsproto;
using abi::IdKind;
using abi::IdMap;
using abi::kNoId;
using abi::kOverflowId;
using client::IdRangeMap;
using client::IdRanges;

namespace {

constexpr std::uint32_t kFirstOfServer = 100'000;
constexpr std::uint32_t kMapped = 65'536;

abi::Attributes owned_by(std::uint32_t uid, std::uint32_t gid) {
    abi::Attributes attributes{};
    attributes.uid = uid;
    attributes.gid = gid;
    return attributes;
}

} // namespace

TEST_CASE("without a range every id is its own image", "[ids]") {
    const IdRanges none;
    const IdRangeMap map;
    for (const std::uint32_t id : {0u, 1000u, kOverflowId, kNoId}) {
        CHECK(none.to_server(id) == id);
        CHECK(none.to_client(id) == id);
        CHECK(map.hook().at_server(IdKind::user, id) == id);
        CHECK(map.hook().shown(IdKind::group, id) == id);
    }
    CHECK(map.hook().to_server == nullptr);
}

TEST_CASE("ids map by their place in a range, and those in no range have no image", "[ids]") {
    IdRanges ranges;
    REQUIRE(ranges.add({0, kFirstOfServer, kMapped}) == Errc::ok);
    REQUIRE(ranges.add({70'000, 5, 1}) == Errc::ok);
    CHECK(ranges.to_server(0) == kFirstOfServer);
    CHECK(ranges.to_server(kMapped - 1) == kFirstOfServer + kMapped - 1);
    CHECK(ranges.to_server(kMapped) == kNoId);
    CHECK(ranges.to_server(70'000) == 5);
    CHECK(ranges.to_server(kNoId) == kNoId);
    CHECK(ranges.to_client(kFirstOfServer) == 0);
    CHECK(ranges.to_client(kFirstOfServer - 1) == kNoId);
    CHECK(ranges.to_client(kFirstOfServer + kMapped) == kNoId);
    CHECK(ranges.to_client(5) == 70'000);
    CHECK(ranges.to_client(0) == kNoId); // the server's user 0 is not the client's
}

TEST_CASE("a range that is empty, too long, or shares an id with another is refused", "[ids]") {
    IdRanges ranges;
    CHECK(ranges.add({0, 0, 0}) == Errc::bad_argument);
    CHECK(ranges.add({0, 1, kNoId}) == Errc::bad_argument); // ends behind the last id on one side
    CHECK(ranges.add({kNoId, 0, 1}) == Errc::bad_argument);
    CHECK(ranges.add({0, kNoId - 1, 2}) == Errc::bad_argument);
    REQUIRE(ranges.add({10, 1010, 10}) == Errc::ok);
    for (const client::IdRange range :
         {client::IdRange{19, 5000, 1}, client::IdRange{0, 5000, 11}, client::IdRange{5, 5000, 100},
          client::IdRange{5000, 1019, 1}, client::IdRange{5000, 1000, 11}, client::IdRange{5000, 1012, 2}}) {
        CAPTURE(range.client, range.server, range.count);
        CHECK(ranges.add(range) == Errc::bad_argument);
    }
    CHECK(ranges.add({20, 1009, 1}) == Errc::ok);
    CHECK(ranges.add({9, 1020, 1}) == Errc::ok);
    CHECK(ranges.ranges().size() == 3);
    IdRanges all;
    CHECK(all.add({0, 0, kNoId}) == Errc::ok); // every id that a file may have
    CHECK(all.to_server(kNoId - 1) == kNoId - 1);
}

TEST_CASE("there are at most sixteen ranges", "[ids]") {
    IdRanges ranges;
    for (std::uint32_t i = 0; i < IdRanges::kMost; ++i) REQUIRE(ranges.add({2 * i, 1000 + 2 * i, 1}) == Errc::ok);
    CHECK(ranges.add({1, 1, 1}) == Errc::no_memory);
    CHECK(ranges.to_server(1) == kNoId);
    CHECK(ranges.to_server(2 * IdRanges::kMost - 2) == 1000 + 2 * IdRanges::kMost - 2);
}

TEST_CASE("users and groups have maps of their own, and one without ranges leaves its ids as they are", "[ids]") {
    IdRangeMap map;
    REQUIRE(map.users.add({0, kFirstOfServer, 10}) == Errc::ok);
    const IdMap hook = map.hook();
    CHECK(hook.at_server(IdKind::user, 1) == kFirstOfServer + 1);
    CHECK(hook.at_server(IdKind::group, 1) == 1);
    CHECK(hook.shown(IdKind::user, kFirstOfServer + 1) == 1);
    CHECK(hook.shown(IdKind::user, 1) == kOverflowId);
    CHECK(hook.shown(IdKind::group, 1) == 1);
    const abi::Attributes shown = hook.shown(owned_by(kFirstOfServer + 3, 7));
    CHECK(shown.uid == 3);
    CHECK(shown.gid == 7);
    const abi::Caller mapped = hook.at_server(abi::Caller{3, 7, 42});
    CHECK(mapped.uid == kFirstOfServer + 3);
    CHECK(mapped.gid == 7);
    CHECK(mapped.pid == 42);
    CHECK(abi::has_image(mapped));
    CHECK_FALSE(abi::has_image(hook.at_server(abi::Caller{10, 7, 42})));
}

TEST_CASE("a hook of the host's own is asked with its context", "[ids]") {
    static constexpr std::uint32_t kBit = 64;
    const auto swap = [](const void* context, IdKind kind, std::uint32_t id) noexcept {
        return kind == IdKind::user ? id ^ *static_cast<const std::uint32_t*>(context) : kNoId;
    };
    const IdMap hook{swap, swap, &kBit};
    CHECK(hook.at_server(abi::Caller{5, 6, 7}).uid == 5 + kBit);
    CHECK(hook.at_server(abi::Caller{5, 6, 7}).gid == kNoId);
    CHECK(hook.shown(IdKind::user, 5 + kBit) == 5);
    CHECK(hook.shown(IdKind::group, 5) == kOverflowId);
}
