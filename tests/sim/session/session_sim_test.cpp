// SPDX-License-Identifier: BSD-2-Clause
// The whole client against the whole server under random schedules: nothing hangs, nothing leaks, and the server's counts
// are ours to the last lookup, whatever fails on the way.
#include "random_user.hpp"

#include <cstdlib>

using namespace vfsproto;
using namespace vfsproto::test;
using abi::Errno;
using backends::MemfsFault;
using backends::MemfsOptions;
using backends::MemfsQuestion;
using backends::loopback::Fault;
using backends::loopback::FaultKind;
using wire::Opcode;

namespace {

// A run ends well with everything closed, everything forgotten, the session over.
void end_well(SimulatedMount& mount, RandomUser& user) {
    user.close_all();
    REQUIRE_FALSE(mount.gone());
    CHECK(user.running() == 0);
    CHECK(mount.lane.idle());
    mount.check_counts();
    mount.evict(0);
    CHECK(mount.nodes.size() == 0);
    mount.settle();
    CHECK(mount.links_out == 0);
    CHECK(mount.fs.lookups() == 0);
    CHECK(mount.fs.open_handles() == 0);
    CHECK(mount.fs.misuse().over_forgets == 0);
    CHECK(mount.fs.misuse().stale_nodes == 0);
    CHECK(mount.fs.misuse().bad_handles == 0);
    CHECK(mount.session().hiprio_in_flight() == 0);
    CHECK(mount.lane.counters().started == mount.lane.counters().finished);
    CHECK(mount.unmount());
}

MemfsOptions memfs_failing(std::uint64_t at, Errno error) {
    MemfsOptions options;
    options.faults = [at, error, count = std::uint64_t{0}](const MemfsQuestion& question) mutable {
        MemfsFault fault;
        if (question.opcode == Opcode::release || question.opcode == Opcode::releasedir) return fault;
        if (wire::op_info(question.opcode).traits.reply == wire::ReplyOwed::never) return fault;
        if (++count == at) fault.error = error;
        return fault;
    };
    return options;
}

} // namespace

TEST_CASE("random operations under random schedules leave the server with exactly what we hold", "[session]") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        INFO("seed " << seed);
        SimOptions options;
        options.seed = seed;
        SimulatedMount mount(options, MemfsOptions{});
        REQUIRE(mount.mount());
        RandomUser user(mount);
        for (int round = 0; round < 5; ++round) {
            user.act(80, 7);
            CHECK(user.running() == 0);
            mount.check_counts();
        }
        CHECK(user.violations() == 0);
        CHECK(user.succeeded() > 100);
        end_well(mount, user);
    }
}

TEST_CASE("the same over every shape of ring: two segments, deep and shallow, with event index and indirect tables",
          "[session]") {
    const RingPairOptions shapes[] = {
        {.size = 2, .max_segments = 2},
        {.size = 4, .max_segments = 2},
        {.size = 64, .event_index = EventIndex::on, .max_segments = 4},
        {.size = 8, .event_index = EventIndex::on, .max_segments = 4, .indirect = IndirectTables::accepted},
        {.size = 16, .max_segments = 3, .indirect = IndirectTables::accepted, .direct_segments = 3},
    };
    for (const RingPairOptions& shape : shapes) {
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            INFO("ring of " << shape.size << ", " << shape.max_segments << " segments, seed " << seed);
            SimOptions options;
            options.seed = seed;
            options.ring = shape;
            options.slots = 8;
            SimulatedMount mount(options, MemfsOptions{});
            REQUIRE(mount.mount());
            RandomUser user(mount);
            user.act(200, 12);
            CHECK(user.violations() == 0);
            end_well(mount, user);
        }
    }
}

TEST_CASE("one slot is enough", "[session]") {
    SimOptions options;
    options.slots = 1;
    SimulatedMount mount(options, MemfsOptions{});
    REQUIRE(mount.mount());
    RandomUser user(mount);
    user.act(300, 10);
    end_well(mount, user);
}

TEST_CASE("a server that keeps requests to itself for a while changes nothing", "[session]") {
    SimOptions options;
    MemfsOptions memfs;
    memfs.faults = [count = 0](const MemfsQuestion& question) mutable {
        MemfsFault fault;
        const bool can_wait = wire::op_info(question.opcode).traits.reply == wire::ReplyOwed::always;
        if (can_wait && ++count % 5 == 0) fault.answer = MemfsFault::Answer::held;
        return fault;
    };
    SimulatedMount mount(options, std::move(memfs));
    REQUIRE(mount.mount());
    RandomUser user(mount);
    for (int i = 0; i < 60; ++i) {
        user.act(5, 3);
        mount.fs.release_held();
        user.wait();
    }
    CHECK(user.running() == 0);
    mount.fs.set_faults({});
    end_well(mount, user);
}

// A server may answer an error to any request: each request of a run gets one in turn.
TEST_CASE("each request of a run fails once: the run goes on, and the counts stay exact", "[session]") {
    constexpr int kOperations = 60;
    const auto run = [&](std::uint64_t at, Errno error) {
        SimOptions options;
        options.seed = 7;
        SimulatedMount mount(options, memfs_failing(at, error));
        REQUIRE(mount.mount());
        RandomUser user(mount);
        user.act(kOperations, 5);
        CHECK(user.running() == 0);
        CHECK(user.violations() == 0);
        CHECK(user.ended() > kOperations / 2); // some find nothing to work on
        end_well(mount, user);
        return mount.lane.counters().started;
    };
    const std::uint64_t requests = run(~std::uint64_t{0}, Errno::none);
    REQUIRE(requests > 50);
    for (const Errno error : {Errno::eio, Errno::enosys, Errno::enomem}) {
        for (std::uint64_t at = 1; at <= requests; ++at) {
            INFO("request " << at << " fails with " << abi::errno_name(error));
            run(at, error);
        }
    }
}

// A caller that goes on before its request is answered, at every request of a run in turn: while it waits for a slot, on the
// queue, with the server, answered and not yet taken. What the server granted in vain is given back.
TEST_CASE("each request of a run is abandoned once: nothing that its late reply grants is kept", "[session]") {
    constexpr int kOperations = 60;
    std::uint64_t abandoned = 0;
    std::uint64_t came_late = 0;
    const auto run = [&](std::uint64_t number, unsigned after) {
        SimOptions options;
        options.seed = 7;
        SimulatedMount mount(options, MemfsOptions{});
        mount.abandoning.abandon(number, after);
        REQUIRE(mount.mount());
        RandomUser user(mount);
        user.act(kOperations, 5);
        CHECK(user.running() == 0);
        CHECK(user.violations() <= 1); // the one that was abandoned
        mount.settle();
        abandoned += mount.abandoning.abandoned();
        came_late += mount.abandoning.came_late();
        end_well(mount, user);
        return mount.abandoning.passed();
    };
    const std::uint64_t requests = run(AbandoningLane::kNever, 0);
    REQUIRE(requests > 50);
    for (unsigned after = 0; after < 4; ++after) {
        for (std::uint64_t number = 1; number <= requests; ++number) {
            INFO("request " << number << " is abandoned after " << after << " turns");
            run(number, after);
        }
    }
    CHECK(abandoned > requests);     // some ended before
    CHECK(came_late > requests / 2); // some waited for a slot still
}

namespace {

constexpr std::uint64_t kNever = 1u << 30;

// A run whose device does one thing wrong. What it costs is told by the caller; never an over-forget, never a hang.
struct Aftermath {
    bool gone = false;
    Errc error = Errc::ok;
    std::size_t violations = 0;
    std::uint64_t left = 0; // lookups the server still counts after we gave back all we know
    std::size_t requests = 0;
};
Aftermath run_faulty(FaultKind kind, std::uint64_t at) {
    SimOptions options;
    options.seed = 11;
    options.faults = {{kind, at}};
    SimulatedMount mount(options, MemfsOptions{});
    Aftermath after;
    if (!mount.mount()) {
        // It went wrong in INIT already.
        after.gone = true;
        after.error = mount.session().failure();
        mount.fail(Errc::device_gone);
        CHECK(mount.session().state() == client::SessionState::failed);
        return after;
    }
    RandomUser user(mount);
    user.act(60, 5);
    if (!mount.gone()) user.close_all();
    after.requests = mount.lane.counters().started;
    if (user.running() != 0) {
        // A completion never came: nothing but a reset ends that.
        CHECK_FALSE(mount.gone());
        mount.fail(Errc::device_gone);
    }
    CHECK(user.running() == 0);
    CHECK(mount.lane.idle());
    CHECK(mount.lane.counters().started == mount.lane.counters().finished);
    after.gone = mount.gone();
    after.error = mount.lane.error();
    after.violations = user.violations();
    user.abandon();
    mount.evict(0);
    mount.settle();
    // Nobody is given them back after a failure: a reset drops everything.
    mount.free_links();
    CHECK(mount.links_out == 0);
    CHECK(mount.nodes.size() == 0);
    CHECK(mount.fs.misuse().over_forgets == 0);
    CHECK(mount.fs.misuse().stale_nodes == 0);
    after.left = mount.fs.lookups();
    return after;
}

// Requests of such a run on their ring, INIT included, DESTROY not.
std::uint64_t requests_of_run() {
    const std::uint64_t requests = 1 + run_faulty(FaultKind::drop, kNever).requests;
    REQUIRE(requests > 50);
    return requests;
}

} // namespace

TEST_CASE("a reply that is malformed costs one request, wherever it comes", "[session]") {
    const std::uint64_t requests = requests_of_run();
    for (const FaultKind kind :
         {FaultKind::reply_length, FaultKind::reply_error, FaultKind::written_short, FaultKind::written_zero}) {
        std::size_t violations = 0;
        for (std::uint64_t at = 2; at <= requests; ++at) {
            INFO("fault " << static_cast<int>(kind) << " at " << at);
            const Aftermath after = run_faulty(kind, at);
            CHECK_FALSE(after.gone);
            CHECK(after.error == Errc::ok);
            CHECK(after.violations <= 1); // a transfer may end well with what came before
            // The one reply that was destroyed may have held entries: they stay counted, until DESTROY.
            CHECK(after.left <= 20);
            violations += after.violations;
        }
        CHECK(violations > requests / 2);
    }
}

TEST_CASE("a reply to nobody's request latches the lane, and everything ends", "[session]") {
    const std::uint64_t requests = requests_of_run();
    for (std::uint64_t at = 2; at <= requests; ++at) {
        INFO("at " << at);
        const Aftermath after = run_faulty(FaultKind::reply_unique, at);
        CHECK(after.gone);
        CHECK(after.error == Errc::unique_mismatch);
    }
}

TEST_CASE("a used length beyond the buffer latches the ring, and everything ends", "[session]") {
    const std::uint64_t requests = requests_of_run();
    for (std::uint64_t at = 2; at <= requests; ++at) {
        INFO("at " << at);
        const Aftermath after = run_faulty(FaultKind::written_beyond, at);
        CHECK(after.gone);
        CHECK(after.error == Errc::ring_used_length);
    }
}

TEST_CASE("the device may die before any request: everything ends once, and no more is sent", "[session]") {
    const std::uint64_t requests = requests_of_run();
    for (std::uint64_t at = 2; at <= requests; ++at) {
        INFO("at " << at);
        CHECK(run_faulty(FaultKind::die, at).gone);
    }
}

TEST_CASE("a completion that never comes holds up its own request alone, until the reset", "[session]") {
    const std::uint64_t requests = requests_of_run();
    for (std::uint64_t at = 2; at <= requests; ++at) {
        INFO("at " << at);
        const Aftermath after = run_faulty(FaultKind::drop, at);
        CHECK(after.gone);
        CHECK(after.error == Errc::device_gone);
    }
}

TEST_CASE("a device that broke at any request is reset and mounted again, and the counts are exact", "[session]") {
    const std::uint64_t requests = requests_of_run();
    std::uint64_t broken = 0;
    for (const FaultKind kind : {FaultKind::drop, FaultKind::reply_unique, FaultKind::written_beyond}) {
        for (std::uint64_t at = 1; at <= requests; ++at) {
            INFO("fault " << static_cast<int>(kind) << " at " << at);
            SimOptions options;
            options.seed = 11;
            options.faults = {{kind, at}};
            SimulatedMount mount(options, MemfsOptions{});
            RandomUser user(mount);
            const bool mounted = mount.mount();
            if (mounted) user.act(60, 5);
            // A fault behind the last request of this life would meet the next one.
            if (mounted && !mount.gone() && user.running() == 0) {
                user.abandon();
                break;
            }
            ++broken;
            mount.fail(Errc::device_gone); // unless it is known already
            CHECK(user.running() == 0);
            user.abandon();
            mount.evict(0);
            mount.free_links();
            mount.reset();
            REQUIRE(mount.mount());
            CHECK(mount.session().generation() == 2);
            user.act(60, 5);
            end_well(mount, user);
        }
    }
    CHECK(broken > requests); // most of three times as many
}

// Operations are under way each time: they end, and none begins before the mount is resumed.
TEST_CASE("a mount is suspended at any step of a run and resumed, and the counts are exact", "[session]") {
    constexpr int kSteps = 60;
    std::size_t under_way = 0;
    for (int step = 0; step < kSteps; ++step) {
        INFO("suspended after " << step);
        SimOptions options;
        options.seed = 11 + static_cast<std::uint64_t>(step % 4);
        SimulatedMount mount(options, MemfsOptions{});
        REQUIRE(mount.mount());
        RandomUser user(mount);
        user.begin(step);
        under_way += user.running();
        mount.suspend();
        CHECK(user.running() == 0);
        CHECK(mount.lane.idle());
        CHECK(mount.lane.counters().started == mount.lane.counters().finished);
        CHECK(mount.fs.misuse().over_forgets == 0);
        CHECK(mount.fs.misuse().stale_nodes == 0);
        user.abandon();
        mount.evict(0);
        mount.free_links();
        CHECK(mount.links_out == 0);
        mount.reset();
        REQUIRE(mount.resume());
        CHECK(mount.session().generation() == 2);
        user.act(40, 5);
        end_well(mount, user);
    }
    CHECK(under_way > kSteps);
}

TEST_CASE("INIT that goes wrong in any way fails the session and nothing else", "[session]") {
    for (const FaultKind kind :
         {FaultKind::drop, FaultKind::die, FaultKind::reply_length, FaultKind::reply_error, FaultKind::reply_unique,
          FaultKind::written_short, FaultKind::written_zero, FaultKind::written_beyond}) {
        INFO("fault " << static_cast<int>(kind));
        const Aftermath after = run_faulty(kind, 1);
        CHECK(after.gone);
    }
}

TEST_CASE("a long run", "[heavy]") {
    const char* const wanted = std::getenv("VFSPROTO_TEST_SEED");
    const std::uint64_t seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20240611;
    INFO("VFSPROTO_TEST_SEED=" << seed);
    SimOptions options;
    options.seed = seed;
    options.ring.size = 64;
    options.slots = 12;
    SimulatedMount mount(options, MemfsOptions{});
    REQUIRE(mount.mount());
    RandomUser user(mount);
    for (int round = 0; round < 20; ++round) {
        user.act(1000, 20);
        CHECK(user.running() == 0);
        mount.check_counts();
    }
    CHECK(user.violations() == 0);
    end_well(mount, user);
}
