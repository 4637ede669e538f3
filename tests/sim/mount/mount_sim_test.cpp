// SPDX-License-Identifier: BSD-2-Clause
// Each request of each call meets each fault once: the call ends, with an answer or an error that has a name; what is told afterwards is
// right; the server counts what the mount holds; and the end of the mount leaves nothing there.
#include "sim/mount/calls.hpp"
#include "sim/mount/faulty_mount.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include "vfsproto/posix/mount_stats.hpp"

#include <chrono>
#include <span>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::loopback::FaultPlan;
using posix::Failure;
using posix::Mount;
using posix::StopSource;
using test::FaultKind;
using test::FaultyMount;
using test::Keeping;
using test::MountCase;
using test::Needs;
using test::Prepared;
using test::Runner;
using test::Surplus;
using test::until;
using test::value_of;
using test::Watchdog;

namespace {

// Tells what a fault does to a call and to those that follow it.
enum class Harm : std::uint8_t {
    one_answer, // is no answer; all else works
    device,     // is stopped, and every call fails
    silence,    // no answer comes, or none in time: a limit ends the call
};

struct FaultCase {
    FaultKind kind;
    const char* name;
    Harm harm;
};

constexpr FaultCase kFaults[] = {
    {FaultKind::reply_length, "a length that is not the reply's", Harm::one_answer},
    {FaultKind::reply_error, "an error that is none", Harm::one_answer},
    {FaultKind::written_short, "a used length that is too short", Harm::one_answer},
    {FaultKind::written_zero, "a used length of 0", Harm::one_answer},
    {FaultKind::reply_unique, "a reply to nobody's request", Harm::device},
    {FaultKind::written_beyond, "a used length beyond the buffer", Harm::device},
    {FaultKind::duplicate, "a completion that comes twice", Harm::device},
    {FaultKind::die, "the end of the device", Harm::device},
    {FaultKind::drop, "an answer that never comes", Harm::silence},
    {FaultKind::delay, "an answer that comes late", Harm::silence},
    {FaultKind::reset, "a device that resets itself", Harm::silence},
};

void prepare(Mount& mount, const MountCase& wanted, Prepared& with) {
    if (wanted.needs == Needs::nothing) return;
    with.file = value_of(mount.open_file("/dir/file", kORdwr));
    with.other = value_of(mount.open_file("/dir/other", kORdwr));
    with.buffer = value_of(mount.allocate(2 * test::kContentBytes));
}

void close_all(Prepared& with) {
    with.file = posix::File();
    with.other = posix::File();
}

// A call has ended that lost one answer, or none.
void check_after_one_answer(FaultyMount& f, Prepared& with, Surplus surplus) {
    f.check_counts(surplus);
    close_all(with);
    f.check_kept();
    f.check_counts(surplus);
    CHECK(with.buffer.is_free());
}

void check_after_device(FaultyMount& f, Prepared& with) {
    CHECK(f.mount->looking_anew()->stat("/dir/file").failure().is_fatal());
    CHECK(f.mount->channel().find_failure() != Errc::ok);
    CHECK(f.mount->mkdir("/dir/late").is_fatal());
    close_all(with);
    CHECK(with.buffer.is_free());
}

// The answer came after its caller had gone on: nothing of it is kept.
void check_after_late_answer(FaultyMount& f, Prepared& with) {
    f.loopback->complete();
    until([&] {
        const posix::MountStats stats = f.mount->mount_stats();
        return stats.late == stats.abandoned;
    });
    f.await_counts();
    close_all(with);
    f.check_kept();
    until([&] { return f.fs.open_handles() == 0 && with.buffer.is_free(); });
    f.await_counts();
}

// The answer will not come. What waits for it ends with the device.
void check_after_silence(FaultyMount& f, Prepared& with, FaultKind kind) {
    if (kind == FaultKind::drop) {
        f.check_counts(f.may_leave_surplus() ? Surplus::of_the_lost_answer : Surplus::none);
        f.check_kept();
    }
    f.loopback->fail("pulled out");
    close_all(with);
    until([&] { return with.buffer.is_free(); });
}

void check_failure(const Failure& failure, const FaultCase& fault) {
    INFO(failure.text());
    switch (fault.harm) {
    case Harm::one_answer:
        // It is no failure where nobody asks what became of the request, as of RELEASE.
        CHECK((failure.errc == Errc::ok || failure.errc == Errc::protocol_violation));
        break;
    case Harm::device: CHECK((failure.errc == Errc::ok || failure.is_fatal())); break;
    case Harm::silence: CHECK((failure.errc == Errc::ok || failure.errc == Errc::abandoned)); break;
    }
}

// Runs the call with a fault at its request of this number. False if it makes none.
bool run(const MountCase& wanted, const FaultCase& fault, std::uint64_t number, Keeping keeping, Runner& runner) {
    INFO(wanted.name << ", request " << number << ": " << fault.name);
    StopSource stop;
    FaultyMount f(keeping);
    const bool is_silent = fault.harm == Harm::silence;
    bool has_struck = false;
    {
        const auto limited = f.mount->limited_by({.stop = &stop, .grace = std::chrono::milliseconds(0)});
        Mount& used = is_silent ? *limited : *f.mount; // whose limits its files have
        Prepared with{.stop = stop, .runner = runner};
        prepare(used, wanted, with);
        f.learn();
        f.trigger.arm(fault.kind, number, [&] {
            if (is_silent) stop.stop();
        });
        const Failure failure = wanted.call(used, with);
        f.trigger.disarm();
        has_struck = f.trigger.has_struck();
        stop.reset();
        CHECK_FALSE(with.read_wrong);
        if (!has_struck) {
            CHECK(failure.errc == Errc::ok); // the server has said it all
            check_after_late_answer(f, with);
        } else {
            check_failure(failure, fault);
            const Surplus surplus = f.may_leave_surplus() ? Surplus::of_the_lost_answer : Surplus::none;
            if (fault.harm == Harm::one_answer) check_after_one_answer(f, with, surplus);
            if (fault.harm == Harm::device) check_after_device(f, with);
            if (fault.kind == FaultKind::delay) check_after_late_answer(f, with);
            if (is_silent && fault.kind != FaultKind::delay) check_after_silence(f, with, fault.kind);
        }
    }
    f.end();
    f.check_manners();
    return has_struck;
}

// Every call meets every fault, or a part of them where time is short: another part in another build and for another seed.
void run_all(std::span<const MountCase> calls, Keeping keeping) {
    const std::uint64_t stride = test::is_small() ? 3 : test::scaled({.least = 4, .usual = 1, .nightly = 1});
    const Watchdog watchdog("a call under faults", std::chrono::seconds(300));
    Runner runner;
    std::uint64_t turn = test::run_seed();
    std::uint64_t strikes = 0;
    for (const MountCase& wanted : calls) {
        for (const FaultCase& fault : kFaults) {
            if (turn++ % stride != 0) continue;
            std::uint64_t number = 0;
            while (run(wanted, fault, number, keeping, runner)) ++number;
            strikes += number;
        }
    }
    CHECK(strikes > calls.size() * std::size(kFaults) / stride / 2); // a call that keeps everything may ask for nothing
}

} // namespace

TEST_CASE("each request of each call of a path meets each fault", "[faults]") {
    run_all(test::name_calls(), GENERATE(Keeping::nothing, Keeping::everything));
}

TEST_CASE("each request of each call of an open file meets each fault", "[faults]") {
    run_all(test::file_calls(), Keeping::everything);
}

TEST_CASE("each request of a queue meets each fault", "[faults]") { run_all(test::queue_calls(), Keeping::nothing); }

TEST_CASE("each request of each asynchronous call meets each fault", "[faults]") {
    run_all(test::async_calls(), Keeping::nothing);
}

TEST_CASE("answers that come in another order change nothing", "[faults]") {
    const Watchdog watchdog("another order");
    const std::uint64_t seeds = test::scaled({.least = 1, .usual = 3, .nightly = 30});
    Runner runner;
    for (const auto calls : {test::name_calls(), test::file_calls(), test::queue_calls(), test::async_calls()}) {
        for (const MountCase& wanted : calls) {
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                INFO(wanted.name << ", seed " << seed);
                StopSource stop;
                FaultPlan plan;
                plan.seed = test::run_seed() + seed;
                plan.hold_back = 3;
                FaultyMount f(Keeping::everything, plan);
                {
                    Prepared with{.stop = stop, .runner = runner};
                    prepare(*f.mount, wanted, with);
                    f.learn();
                    CHECK(wanted.call(*f.mount, with).errc == Errc::ok);
                    CHECK_FALSE(with.read_wrong);
                    check_after_one_answer(f, with, Surplus::none);
                }
                f.end();
                f.check_manners();
            }
        }
    }
}

// Nothing tells a corrupt answer from another one that keeps the rules: what it says may be wrong, and no more than that.
TEST_CASE("a corrupt answer to any request ends in an answer or an error", "[faults]") {
    const Watchdog watchdog("corrupt answers", std::chrono::seconds(300));
    const std::uint64_t seeds = test::scaled({.least = 1, .usual = 2, .nightly = 50});
    Runner runner;
    for (const auto calls : {test::name_calls(), test::file_calls(), test::queue_calls(), test::async_calls()}) {
        for (const MountCase& wanted : calls) {
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                bool has_struck = true;
                for (std::uint64_t number = 0; has_struck; ++number) {
                    INFO(wanted.name << ", request " << number << ", seed " << seed);
                    StopSource stop;
                    FaultPlan plan;
                    plan.seed = test::run_seed() + seed;
                    FaultyMount f(Keeping::everything, plan);
                    {
                        Prepared with{.stop = stop, .runner = runner};
                        prepare(*f.mount, wanted, with);
                        f.trigger.arm(FaultKind::corrupt, number);
                        static_cast<void>(wanted.call(*f.mount, with).happened());
                        f.trigger.disarm();
                        has_struck = f.trigger.has_struck();
                        CHECK(f.mount->channel().find_failure() ==
                              Errc::ok); // one answer is no reason to stop a device
                        f.learn();
                    }
                    f.end();
                }
            }
        }
    }
}
