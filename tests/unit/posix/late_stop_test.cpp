// SPDX-License-Identifier: BSD-2-Clause
// A channel that ends while one of its own threads still stops the device for what it did wrong.
#include "support/watchdog.hpp"
#include "unit/posix/gated_channel.hpp"
#include "unit/posix/stubborn_device.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::test;
using backends::loopback::FaultKind;

namespace {

constexpr int kYields = 2000; // that the end of a channel gets to do what it should not

// A READ that nobody waits for.
struct DetachedRead {
    explicit DetachedRead(posix::Channel& channel) : poller(channel.detached()) {
        read.operation.user = this;
        read.operation.on_finish = [](client::Operation& finished) noexcept {
            auto& self = *static_cast<DetachedRead*>(finished.user);
            self.poller.finished();
            self.done.store(true, std::memory_order_release);
        };
        poller.start(read.operation, channel.own_caller(), wire::kRootNodeId);
    }

    GatedRead read;
    posix::DetachedPoller& poller;
    std::atomic<bool> done{false};
};

} // namespace

TEST_CASE("a channel that ends while its device is being stopped waits until that is done", "[shared_lane]") {
    const Watchdog watchdog("the end of a channel");
    GateFileSystem fs;
    backends::loopback::FaultTrigger trigger;
    backends::loopback::FaultPlan plan;
    plan.trigger = &trigger;
    auto device = std::make_unique<StubbornDevice>(backends::make_faulty_loopback(fs, plan));
    StubbornDevice& stubborn = *device;
    posix::ChannelOptions options;
    options.patience = std::chrono::milliseconds(0); // the end waits for no reply
    auto opened = posix::Channel::open(std::move(device), options);
    REQUIRE(opened);
    std::unique_ptr<posix::Channel> channel = *std::move(opened);

    stubborn.hold_stop();
    trigger.arm(FaultKind::reply_unique, 0); // ends the READ, and after that the device
    DetachedRead read(*channel);
    until([&] { return read.done.load(std::memory_order_acquire) && stubborn.is_stopping(); });
    CHECK(read.read.operation.errc() == Errc::unique_mismatch);

    std::thread end([&] { channel.reset(); });
    for (int turn = 0; turn < kYields; ++turn) std::this_thread::yield();
    CHECK(stubborn.most_resets_at_once() == 1);
    stubborn.let_stop(Errc::ok);
    end.join();
}
