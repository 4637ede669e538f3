// SPDX-License-Identifier: BSD-2-Clause
// A mounted device that misbehaves on its hiprio queue, where only FORGET and INTERRUPT travel.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include <algorithm>
#include <chrono>

using namespace vfsproto;
using backends::LoopbackService;
using backends::loopback::Fault;
using backends::loopback::FaultKind;
using backends::loopback::FaultPlan;
using posix::Mount;
using posix::MountOptions;
using test::succeeds;
using test::value_of;
using test::Watchdog;

namespace {

// Gives back the lookups of one new directory, as one FORGET.
void make_and_forget(Mount& mount, int number) {
    succeeds(mount.mkdir("/" + std::to_string(number)));
    mount.prune();
}

// `first` and every later completion of the hiprio queue goes wrong in this way.
FaultPlan hiprio_fault(FaultKind kind, std::uint64_t first) {
    constexpr std::uint64_t kMany = 200;
    FaultPlan plan;
    plan.queue = kHiprioQueue;
    for (std::uint64_t at = first; at < first + kMany; ++at) plan.faults.push_back({kind, at});
    return plan;
}

} // namespace

// virtio 1.2 §2.7.8: a FORGET has no writable part, so the device writes nothing.
TEST_CASE("a hiprio queue whose device breaks the rules ends the mount", "[hiprio]") {
    const auto service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    const Watchdog watchdog("a latched hiprio queue");
    backends::Memfs fs;
    backends::LoopbackOptions device;
    device.service = service;
    auto mount = test::mount_of(
        backends::make_faulty_loopback(fs, hiprio_fault(FaultKind::written_beyond, 1), std::move(device)));
    make_and_forget(*mount, 0);
    // A thread of the device's serves when it likes: the next call that gives something back sees what it did.
    int made = 0;
    test::until([&] {
        static_cast<void>(mount->mkdir("/" + std::to_string(++made))); // the mount may end in the middle of it
        mount->prune();
        return mount->channel().failure() != Errc::ok;
    });
    CHECK(mount->channel().failure() == Errc::ring_used_length);
    CHECK(mount->stat("/").failure().is_fatal());
}

TEST_CASE("a mount whose hiprio queue broke during the last FORGET ends", "[hiprio]") {
    const auto service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    constexpr int kRounds = 20;
    for (int round = 0; round < kRounds; ++round) {
        const Watchdog watchdog("unmounting over a latched hiprio queue");
        backends::Memfs fs;
        backends::LoopbackOptions device;
        device.service = service;
        auto mount = test::mount_of(
            backends::make_faulty_loopback(fs, hiprio_fault(FaultKind::written_beyond, 1), std::move(device)));
        make_and_forget(*mount, 0);
        mount.reset();
    }
}

TEST_CASE("a server that is stuck on hiprio costs a mount one wait, not one for each call", "[hiprio]") {
    constexpr std::chrono::milliseconds kPatience{200};
    constexpr int kCalls = 100; // 20 s, were each of them patient
    constexpr std::chrono::seconds kMuchLess{8};
    const Watchdog watchdog("a stuck hiprio queue");
    backends::Memfs fs;
    MountOptions options;
    options.channel.patience = kPatience;
    auto mount = test::mount_of(backends::make_faulty_loopback(fs, hiprio_fault(FaultKind::drop, 1)), options);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) make_and_forget(*mount, i);
    CHECK(std::chrono::steady_clock::now() - start < kMuchLess);
    CHECK(mount->channel().failure() == Errc::ok); // the request queue works
    CHECK(mount->stat("/0"));
}
