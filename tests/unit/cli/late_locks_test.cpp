// SPDX-License-Identifier: BSD-2-Clause
// A lock that the server grants when its caller has gone on is given back, but never together with one that the owner has; and what
// is closed waits for the requests of that handle alone.
#include "../../../src/kernel_mount/held_nodes.hpp"
#include "../../../src/kernel_mount/late_locks.hpp"
#include "support/catch.hpp"
#include "support/watchdog.hpp"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

using vfsproto::kernel_mount::HeldNodes;
using vfsproto::kernel_mount::LateLocks;
using vfsproto::kernel_mount::LockOwner;
using vfsproto::kernel_mount::Named;
using Asked = LateLocks::Asked;

namespace {

constexpr LockOwner kOwner{7, 0x1234, 0};

vfsproto::wire::LkIn lock_from(std::uint64_t start) {
    vfsproto::wire::LkIn lock{};
    lock.lk.start = start;
    return lock;
}

// Asks for a lock whose caller does not wait for the answer.
void ask_and_go(LateLocks& locks) {
    locks.begin(kOwner);
    REQUIRE_FALSE(locks.end(kOwner, Asked::let_go));
}

} // namespace

TEST_CASE("a lock that is granted late is given back, and one that is refused late is not", "[cli]") {
    LateLocks locks;
    ask_and_go(locks);
    const LateLocks::Owed owed = locks.end_late(kOwner, Asked::granted, lock_from(100));
    REQUIRE(owed);
    CHECK(owed->lk.start == 100);
    CHECK_FALSE(locks.note_given_back(kOwner));
    ask_and_go(locks);
    CHECK_FALSE(locks.end_late(kOwner, Asked::not_granted, lock_from(0)));
}

TEST_CASE("a lock that is granted late is not given back under an owner who asked again and has it", "[cli]") {
    LateLocks locks;
    ask_and_go(locks);
    locks.begin(kOwner);
    SECTION("its own is granted first") {
        CHECK_FALSE(locks.end(kOwner, Asked::granted));
        CHECK_FALSE(locks.end_late(kOwner, Asked::granted, lock_from(0)));
    }
    SECTION("its own is granted last") {
        CHECK_FALSE(locks.end_late(kOwner, Asked::granted, lock_from(0)));
        CHECK_FALSE(locks.end(kOwner, Asked::granted));
    }
    SECTION("it gave its own back meanwhile") {
        CHECK_FALSE(locks.end(kOwner, Asked::granted));
        locks.note_unlock(kOwner);
        CHECK(locks.end_late(kOwner, Asked::granted, lock_from(0)));
    }
}

TEST_CASE("locks that are granted late are given back one by one when the owner is refused another", "[cli]") {
    LateLocks locks;
    ask_and_go(locks);
    ask_and_go(locks);
    locks.begin(kOwner);
    CHECK_FALSE(locks.end_late(kOwner, Asked::granted, lock_from(1)));
    CHECK_FALSE(locks.end_late(kOwner, Asked::granted, lock_from(2)));
    const LateLocks::Owed first = locks.end(kOwner, Asked::not_granted);
    REQUIRE(first);
    const LateLocks::Owed second = locks.note_given_back(kOwner);
    REQUIRE(second);
    CHECK(first->lk.start + second->lk.start == 3);
    CHECK_FALSE(locks.note_given_back(kOwner));
}

TEST_CASE("an owner asks for no lock while one of it is given back", "[cli]") {
    const vfsproto::test::Watchdog watchdog("a lock after one that is given back");
    LateLocks locks;
    ask_and_go(locks);
    REQUIRE(locks.end_late(kOwner, Asked::granted, lock_from(0)));
    std::atomic<bool> was_given_back{false};
    bool waited = false;
    bool is_owed = true;
    std::thread other([&] {
        locks.begin(kOwner);
        waited = was_given_back;
        is_owed = locks.end(kOwner, Asked::granted).has_value();
    });
    locks.begin({kOwner.nodeid, kOwner.owner + 1, 0}); // somebody else does
    CHECK_FALSE(locks.end({kOwner.nodeid, kOwner.owner + 1, 0}, Asked::granted));
    was_given_back = true;
    CHECK_FALSE(locks.note_given_back(kOwner));
    other.join();
    CHECK(waited);
    CHECK_FALSE(is_owed);
}

TEST_CASE("what is closed waits for requests of that handle, not for those of the file", "[cli]") {
    const vfsproto::test::Watchdog watchdog("a handle that no request names");
    HeldNodes held;
    held.hold(Named{{7, 8}, {std::uint64_t{1}, std::uint64_t{2}}});
    CHECK(held.names(7, 1));
    CHECK(held.names(8, 2));
    CHECK_FALSE(held.names(7, 2));
    held.wait_for(7, 2);
    std::vector<vfsproto::client::Node*> now;
    held.give_back(7, 1, now);
    CHECK(now.empty());
    held.stop_waiting();
    held.wait_for(7, 1);
}
