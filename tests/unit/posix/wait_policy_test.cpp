// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/posix/wait_policy.hpp"

using namespace vfsproto;
using posix::Spun;
using posix::Waiting;
using posix::WaitPolicy;

namespace {

// A server and a clock: what one wait costs when we sleep, when we spin in time, and when we spin in vain.
struct World {
    std::uint64_t sleep_cost = 10'000; // ns
    std::uint64_t spin_cost = 1'000;
    bool spinning_is_vain = false;
    std::uint64_t now = 1'000'000;
    std::uint64_t asked = 0; // times the clock was read
    std::uint64_t spun = 0;  // waits that spun

    void wait(WaitPolicy& policy, std::uint32_t completions = 1) {
        const bool spins = policy.spin_limit() != 0;
        spun += spins ? 1 : 0;
        if (!spins) {
            now += sleep_cost;
        } else {
            now += spinning_is_vain ? policy.spin_limit() + sleep_cost : spin_cost;
        }
        policy.waited(completions, spins && spinning_is_vain ? Spun::in_vain : Spun::not_in_vain, [this] {
            ++asked;
            return now;
        });
    }
    // Of the next waits, how many spin?
    std::uint64_t spins_in(WaitPolicy& policy, int waits) {
        const std::uint64_t before = spun;
        for (int i = 0; i < waits; ++i) wait(policy);
        return spun - before;
    }
};

} // namespace

TEST_CASE("fixed policies do what they say and read no clock", "[wait_policy]") {
    World world;
    WaitPolicy poll(Waiting::poll);
    CHECK(poll.spin_limit() == ~std::uint64_t{0});
    WaitPolicy event(Waiting::event);
    CHECK(event.spin_limit() == 0);
    for (int i = 0; i < 10'000; ++i) world.wait(event);
    CHECK(event.spin_limit() == 0);
    for (int i = 0; i < 1000; ++i) {
        poll.waited(1, Spun::not_in_vain, [&] {
            ++world.asked;
            return world.now;
        });
    }
    CHECK(poll.spin_limit() == ~std::uint64_t{0});
    CHECK(world.asked == 0);
}

TEST_CASE("where spinning is faster it is found out and kept", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    CHECK(policy.spin_limit() == 0); // it begins by sleeping
    world.spins_in(policy, 400);
    CHECK(policy.spin_limit() == WaitPolicy::kSpinLimit);
    // Later trials of sleeping are few.
    CHECK(world.spins_in(policy, 100'000) >= 100'000 - 8 * 128);
}

TEST_CASE("where spinning is in vain it is tried seldom, and given up at once", "[wait_policy]") {
    World world;
    world.spinning_is_vain = true;
    WaitPolicy policy;
    // A trial costs two spins, and comes less and less often.
    CHECK(world.spins_in(policy, 1000) <= 8);
    CHECK(world.spins_in(policy, 100'000) <= 20);
    CHECK(policy.spin_limit() == 0);
}

TEST_CASE("a world that changes changes the policy", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    world.spins_in(policy, 2000);
    REQUIRE(policy.spin_limit() != 0);
    world.spinning_is_vain = true;            // the server moved to our core
    CHECK(world.spins_in(policy, 1000) < 20); // at once, however long it was true
    CHECK(policy.spin_limit() == 0);
    world.spinning_is_vain = false;
    world.spins_in(policy, 1 << 17);
    CHECK(policy.spin_limit() != 0);
}

TEST_CASE("two ways that cost the same do not change places", "[wait_policy]") {
    World world;
    world.spin_cost = world.sleep_cost;
    WaitPolicy policy;
    CHECK(world.spins_in(policy, 100'000) <= 1024); // its trials
    world.spin_cost = world.sleep_cost - world.sleep_cost / 50;
    CHECK(world.spins_in(policy, 100'000) <= 1024);
}

TEST_CASE("a trial sees all that is on its way go round often", "[wait_policy]") {
    // Spinning costs half of sleeping, but not in the first hundred completions after a change.
    World world;
    WaitPolicy policy;
    unsigned in_a_row = 0;
    for (int i = 0; i < 10'000; ++i) {
        in_a_row = policy.spin_limit() != 0 ? in_a_row + 4 : 0;
        world.sleep_cost = 32'000;
        world.spin_cost = in_a_row <= 100 ? 8'000 : 2'000; // 4 of 32 requests
        world.wait(policy, policy.spin_limit() != 0 ? 4 : 32);
    }
    CHECK(policy.spin_limit() != 0);
}

TEST_CASE("the clock is read a few times in thousands of waits", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    world.spins_in(policy, 100'000);
    CHECK(world.asked < 200);
}

TEST_CASE("a way without any completion is endless", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    for (int i = 0; i < 10'000; ++i) world.wait(policy, 0);
    CHECK(policy.spin_limit() == 0); // neither is better: it stays
}
