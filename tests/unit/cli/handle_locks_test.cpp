// SPDX-License-Identifier: BSD-2-Clause
// Record locks that end with the handle they came through.
#include "../../../src/kernel_mount/handle_locks.hpp"
#include "support/catch.hpp"

#include <cstdint>
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

} // namespace

TEST_CASE("the end of a handle tells once who has locks through it", "[cli]") {
    HandleLocks locks;
    CHECK(locks.end(kFirst) == Owners{});
    CHECK(locks.note_granted(kFirst, kDescription));
    CHECK(locks.note_granted(kFirst, kDescription));
    CHECK(locks.note_granted(kFirst, kProcess));
    CHECK(locks.note_granted(kSecond, kProcess));
    CHECK(locks.end(kFirst) == Owners{kProcess, kDescription});
    CHECK(locks.end(kFirst) == Owners{});
    CHECK(locks.end(kSecond) == Owners{kProcess});
}

TEST_CASE("an owner that gives up its locks of a file has none through any handle of it", "[cli]") {
    HandleLocks locks;
    for (const HandleLocks::Handle& handle : {kFirst, kSecond, kOfAnother}) {
        CHECK(locks.note_granted(handle, kProcess));
        CHECK(locks.note_granted(handle, kDescription));
    }
    locks.note_given_up(kNode, kProcess);
    CHECK(locks.end(kFirst) == Owners{kDescription});
    CHECK(locks.end(kSecond) == Owners{kDescription});
    CHECK(locks.end(kOfAnother) == Owners{kProcess, kDescription});
    locks.note_given_up(kNode, kProcess);
}
