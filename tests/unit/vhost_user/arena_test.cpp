// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/backends/detail/arena.hpp"

#include <sys/resource.h>

#include <random>

using namespace vfsproto;
using backends::Arena;
using backends::ArenaPool;
using backends::Reach;

namespace {

constexpr auto kSilent = [](const Arena&) { return Errc::ok; };
constexpr auto kIgnore = [](const Arena&) {};

// Lets no file of this process become larger than so many bytes.
class FileLimit {
public:
    explicit FileLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("an arena is whole again once every piece came back, in any order", "[arena]") {
    std::mt19937 random(3);
    const auto reach = GENERATE(as<Reach>{}, Reach::process, Reach::peers);
    const auto arena = Arena::create(64 * Arena::kPage, DeviceAddr{0x100000}, reach);
    REQUIRE(arena);
    for (int round = 0; round < 50; ++round) {
        std::vector<Region> pieces;
        while (true) {
            const Region piece = arena->take((1 + random() % 7) * Arena::kPage);
            if (piece.size() == 0) break;
            for (const std::byte b : piece.bytes().first(16)) REQUIRE(b == std::byte{0});
            for (const Region& other : pieces) REQUIRE_FALSE(other.contains(piece.device(), 1));
            piece.host()[0] = std::byte{1};
            pieces.push_back(piece);
        }
        std::shuffle(pieces.begin(), pieces.end(), random);
        for (const Region& piece : pieces) REQUIRE(arena->give_back(piece));
        CHECK(arena->empty());
        const Region all = arena->take(64 * Arena::kPage); // nothing stayed in pieces
        REQUIRE(all.size() == 64 * Arena::kPage);
        REQUIRE(arena->give_back(all));
    }
}

TEST_CASE("an arena takes back only what it gave", "[arena]") {
    const auto arena = Arena::create(4 * Arena::kPage, DeviceAddr{0x100000});
    REQUIRE(arena);
    const Region piece = arena->take(Arena::kPage);
    CHECK_FALSE(arena->give_back({piece.host(), DeviceAddr{0x900000}, Arena::kPage}));
    CHECK_FALSE(arena->give_back(arena->region().part(2 * Arena::kPage, Arena::kPage)));
    CHECK(arena->give_back(piece));
    CHECK_FALSE(arena->give_back(piece));
}

TEST_CASE("a pool announces an arena before it is used and withdraws it when it is empty", "[arena]") {
    ArenaPool pool(4 * Arena::kPage);
    int announced = 0;
    int withdrawn = 0;
    const auto announce = [&](const Arena&) { return ++announced, Errc::ok; };
    const auto withdraw = [&](const Arena&) { ++withdrawn; };
    const auto a = pool.allocate(3 * Arena::kPage, announce);
    const auto b = pool.allocate(3 * Arena::kPage, announce);
    const auto c = pool.allocate(1, announce);
    const auto large = pool.allocate(9 * Arena::kPage, announce);
    REQUIRE((a && b && c && large));
    CHECK(announced == 3);
    CHECK(c->size() == Arena::kPage);
    CHECK(pool.translate(large->device(), large->size()) == large->host());
    CHECK(pool.translate(large->device() + large->size(), 1) == nullptr);
    CHECK(pool.translate(DeviceAddr{0}, 1) == nullptr);
    CHECK(to_number(a->device()) >= ArenaPool::kFirstDeviceAddress);

    CHECK(pool.release(*large, withdraw));
    CHECK(pool.release(*b, withdraw));
    CHECK(withdrawn == 2);
    CHECK_FALSE(pool.release(*b, withdraw));
    CHECK(pool.release(*c, withdraw));
    CHECK(pool.release(*a, withdraw));
    CHECK(withdrawn == 2); // the last one stays
    CHECK(pool.arenas().size() == 1);
}

TEST_CASE("a pool hands out nothing of an arena the device did not take", "[arena]") {
    ArenaPool pool(4 * Arena::kPage);
    CHECK(pool.allocate(1, [](const Arena&) { return Errc::transport_failed; }).error() == Errc::transport_failed);
    CHECK(pool.arenas().empty());
    CHECK(pool.allocate(0, kSilent).error() == Errc::bad_argument);
    CHECK(pool.allocate(~std::size_t{0}, kSilent).error() == Errc::bad_argument);
    const auto piece = pool.allocate(1, kSilent);
    REQUIRE(piece);
    CHECK(pool.release(*piece, kIgnore));
}

TEST_CASE("a pool makes no files larger than files may be, and none where no peer reaches it", "[arena]") {
    constexpr std::size_t kMost = 8 * Arena::kPage;
    constexpr std::size_t kWanted = 64 * Arena::kPage;
    ArenaPool shared(kWanted, Reach::peers);
    ArenaPool own(kWanted, Reach::process);
    {
        const FileLimit limit(kMost);
        CHECK(shared.allocate(1, kSilent));
        CHECK(shared.allocate(kWanted, kSilent).error() == Errc::no_memory);
        CHECK(own.allocate(kWanted, kSilent));
    }
    REQUIRE(shared.arenas().size() == 1);
    CHECK(shared.arenas().front()->region().size() == kMost);
    REQUIRE(own.arenas().size() == 1);
    CHECK(own.arenas().front()->fd() == -1);
}
