// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"

#include "vfsproto/posix/detail/wait_policy.hpp"

using namespace vfsproto;
using posix::Spun;
using posix::Waiting;
using posix::WaitPolicy;

namespace {

// A server and a clock: what one wait costs when we sleep, when we spin or yield in time, and when we do so in vain.
struct World {
    std::uint64_t sleep_cost = 10'000; // ns
    std::uint64_t spin_cost = 1'000;
    std::uint64_t yield_cost = 1'000;
    bool spinning_is_vain = false;
    bool yielding_is_vain = false;
    std::uint64_t crowded_each = 0; // so many waits that yield somebody else has the CPU, for long; 0: nobody
    std::uint64_t now = 1'000'000;
    std::uint64_t asked = 0;   // times the clock was read
    std::uint64_t spun = 0;    // waits that spun
    std::uint64_t yielded = 0; // …, that yielded

    void wait(WaitPolicy& policy, std::uint32_t completions = 1) {
        const bool sleeps = policy.spin_limit() == 0;
        const bool is_vain = !sleeps && (policy.yields() ? yielding_is_vain : spinning_is_vain);
        if (sleeps || is_vain) {
            now += policy.spin_limit() + sleep_cost;
        } else {
            now += policy.yields() ? yield_cost : spin_cost;
        }
        if (!sleeps) ++(policy.yields() ? yielded : spun);
        const bool is_crowded = !sleeps && policy.yields() && crowded_each != 0 && yielded % crowded_each == 0;
        if (is_crowded) now += 3'000'000;
        const Spun busy = is_vain ? Spun::in_vain : Spun::not_in_vain;
        policy.waited(completions, is_crowded ? Spun::crowded : busy, [this] {
            ++asked;
            return now;
        });
    }
    // Counts how many of the next waits spin, and how many yield.
    struct Busy {
        std::uint64_t spins;
        std::uint64_t yields;
    };
    Busy busy_in(WaitPolicy& policy, int waits) {
        const Busy before{spun, yielded};
        for (int i = 0; i < waits; ++i) wait(policy);
        return {spun - before.spins, yielded - before.yields};
    }
};

constexpr int kTrial = 128;            // waits of one way in a trial, at most
constexpr std::uint64_t kTrials = 8;   // of 100,000 waits
constexpr std::uint64_t kForgiven = 2; // waits in vain that end a trial of that way
bool spins(const WaitPolicy& policy) { return policy.spin_limit() != 0 && !policy.yields(); }
bool yields(const WaitPolicy& policy) { return policy.spin_limit() != 0 && policy.yields(); }

} // namespace

TEST_CASE("fixed policies do what they say and read no clock", "[wait_policy]") {
    World world;
    WaitPolicy poll(Waiting::poll);
    CHECK(poll.spin_limit() == ~std::uint64_t{0});
    CHECK(!poll.yields());
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
    world.busy_in(policy, 4 * kTrial);
    CHECK(spins(policy)); // yielding is as fast, but no faster
    CHECK(policy.spin_limit() == WaitPolicy::kSpinLimit);
    // Later trials of the others are few.
    CHECK(world.busy_in(policy, 100'000).spins >= 100'000 - kTrials * 2 * kTrial);
}

TEST_CASE("where yielding is faster it is found out and kept", "[wait_policy]") {
    World world;
    world.spinning_is_vain = true; // the server is on our core
    world.sleep_cost = 1'100;
    WaitPolicy policy;
    world.busy_in(policy, 4 * kTrial);
    CHECK(yields(policy));
    CHECK(policy.spin_limit() == WaitPolicy::kSpinLimit);
    const World::Busy busy = world.busy_in(policy, 100'000);
    CHECK(busy.yields >= 100'000 - kTrials * (kTrial + kForgiven));
    CHECK(busy.spins <= kTrials * kForgiven);
}

TEST_CASE("where both are in vain they are tried seldom, and given up at once", "[wait_policy]") {
    World world;
    world.spinning_is_vain = world.yielding_is_vain = true;
    WaitPolicy policy;
    // A trial costs two of each, and comes less and less often.
    const World::Busy first = world.busy_in(policy, 1000);
    CHECK(first.spins <= 2 * kForgiven);
    CHECK(first.yields <= 2 * kForgiven);
    const World::Busy later = world.busy_in(policy, 100'000);
    CHECK(later.spins <= kTrials * kForgiven);
    CHECK(later.yields <= kTrials * kForgiven);
    CHECK(policy.spin_limit() == 0);
}

TEST_CASE("among others who want the CPU yielding is given up, and seldom tried again", "[wait_policy]") {
    World world;
    world.spinning_is_vain = true;
    world.sleep_cost = 1'100;
    world.crowded_each = 200; // longer than a trial, which may see none of it
    WaitPolicy policy;
    world.busy_in(policy, 100'000);
    const World::Busy busy = world.busy_in(policy, 500'000);
    CHECK(busy.yields <= 2 * world.crowded_each);
    CHECK(busy.spins <= 64);
    CHECK(policy.spin_limit() == 0);
    // When they are gone it comes back.
    world.crowded_each = 0;
    world.busy_in(policy, 64 << 15);
    CHECK(world.busy_in(policy, 100'000).yields > 90'000);
}

TEST_CASE("a crowd now and then costs one period without yielding, not ever more", "[wait_policy]") {
    World world;
    world.spinning_is_vain = true;
    world.sleep_cost = 1'100;
    world.crowded_each = 200'000;
    WaitPolicy policy;
    world.busy_in(policy, 100'000);
    CHECK(world.busy_in(policy, 2'000'000).yields > 1'700'000);
}

TEST_CASE("a world that changes changes the policy", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    world.busy_in(policy, 2000);
    REQUIRE(spins(policy));
    world.spinning_is_vain = true; // the server moved to our core
    world.sleep_cost = 1'100;
    World::Busy busy = world.busy_in(policy, 1000);
    CHECK(busy.spins < 20); // at once, however long it was true
    CHECK(busy.yields > 500);
    world.yielding_is_vain = true; // and became slow
    busy = world.busy_in(policy, 1000);
    CHECK(busy.yields < 20);
    CHECK(busy.spins < 20);
    world.spinning_is_vain = false;
    world.busy_in(policy, 1 << 17);
    CHECK(spins(policy));
}

TEST_CASE("ways that cost the same do not change places", "[wait_policy]") {
    World world;
    world.spin_cost = world.yield_cost = world.sleep_cost;
    WaitPolicy policy;
    const auto stays = [&] {
        const World::Busy busy = world.busy_in(policy, 100'000);
        CHECK(busy.spins <= kTrials * kTrial);
        CHECK(busy.yields <= kTrials * kTrial);
    };
    stays();
    world.spin_cost = world.yield_cost = world.sleep_cost - world.sleep_cost / 50;
    stays();
    // Spinning is preferred to a yielding that is little better, and to one that is no more.
    world.spin_cost = 1'000;
    world.yield_cost = 950;
    world.busy_in(policy, 1 << 17);
    CHECK(spins(policy));
    world.yield_cost = 900;
    world.busy_in(policy, 1 << 17);
    CHECK(yields(policy));
    world.yield_cost = 950;
    world.busy_in(policy, 1 << 17);
    CHECK(spins(policy));
}

TEST_CASE("a trial sees all that is on its way go round often", "[wait_policy]") {
    // Spinning costs half of sleeping, but not in the first hundred completions after a change.
    World world;
    WaitPolicy policy;
    unsigned in_a_row = 0;
    for (int i = 0; i < 10'000; ++i) {
        in_a_row = policy.spin_limit() != 0 ? in_a_row + 4 : 0;
        world.sleep_cost = 32'000;
        world.spin_cost = world.yield_cost = in_a_row <= 100 ? 8'000 : 2'000; // 4 of 32 requests
        world.wait(policy, policy.spin_limit() != 0 ? 4 : 32);
    }
    CHECK(policy.spin_limit() != 0);
}

TEST_CASE("the clock is read a few times in thousands of waits", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    world.busy_in(policy, 100'000);
    CHECK(world.asked < 200);
}

TEST_CASE("a way without any completion is endless", "[wait_policy]") {
    World world;
    WaitPolicy policy;
    for (int i = 0; i < 10'000; ++i) world.wait(policy, 0);
    CHECK(policy.spin_limit() == 0); // neither is better: it stays
}
