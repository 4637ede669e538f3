// SPDX-License-Identifier: BSD-2-Clause
// Record locks that end with the handle they came through.
#include "../../../src/kernel_mount/handle_locks.hpp"
#include "support/catch.hpp"
#include "support/watchdog.hpp"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

using vfsproto::kernel_mount::HandleLocks;
using Owners = std::vector<std::uint64_t>;

namespace {

constexpr std::uint64_t kNode = 7;
constexpr HandleLocks::Handle kFirst{kNode, 1};
constexpr HandleLocks::Handle kSecond{kNode, 2};
constexpr HandleLocks::Handle kOfAnother{kNode + 1, 1};
constexpr std::uint64_t kProcess = 0x1111;
constexpr std::uint64_t kDescription = 0x2222;
constexpr int kTurnsOfAnother = 2000; // in which it could do what it should not

} // namespace

TEST_CASE("the end of a handle tells once whose locks end with it", "[cli]") {
    HandleLocks locks;
    CHECK(locks.end(kFirst) == Owners{});
    CHECK(locks.begin(kFirst, kDescription));
    CHECK(locks.begin(kFirst, kDescription));
    CHECK(locks.begin(kFirst, kProcess));
    CHECK(locks.begin(kSecond, kProcess));
    CHECK(locks.end(kFirst) == Owners{kDescription}); // the process has another handle
    locks.note_ended(kNode, kDescription);
    CHECK(locks.end(kFirst) == Owners{});
    CHECK(locks.end(kSecond) == Owners{kProcess});
    locks.note_ended(kNode, kProcess);
}

TEST_CASE("an owner that gives up its locks of a file has none through any handle of it", "[cli]") {
    HandleLocks locks;
    for (const HandleLocks::Handle& handle : {kFirst, kOfAnother}) {
        CHECK(locks.begin(handle, kProcess));
        CHECK(locks.begin(handle, kDescription));
    }
    locks.note_given_up(kNode, kProcess);
    CHECK(locks.end(kFirst) == Owners{kDescription});
    CHECK(locks.end(kOfAnother) == Owners{kProcess, kDescription});
    locks.note_given_up(kNode, kProcess);
}

TEST_CASE("an owner's number that is given again waits until the locks of the one before have ended", "[cli]") {
    const vfsproto::test::Watchdog watchdog("an owner that comes back");
    HandleLocks locks;
    CHECK(locks.begin(kFirst, kDescription));
    REQUIRE(locks.end(kFirst) == Owners{kDescription});
    CHECK(locks.begin(kSecond, kProcess)); // nobody else waits
    std::atomic<bool> has_begun{false};
    std::thread again([&] { has_begun = locks.begin(kSecond, kDescription); });
    for (int turn = 0; turn < kTurnsOfAnother; ++turn) std::this_thread::yield();
    CHECK_FALSE(has_begun);
    locks.note_ended(kNode, kDescription);
    again.join();
    CHECK(has_begun);
}
