// SPDX-License-Identifier: BSD-2-Clause
// An attachment that is no virtio device, as far as a mount can see: it has queues of its own, and no transport.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include "vfsproto/posix/detail/driver_queues.hpp"

#include <atomic>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::LoopbackService;
using posix::File;
using posix::Waiting;
using test::succeeds;
using test::value_of;
using test::Watchdog;

namespace {

// Lends the queues of a device behind it, without a word on what they are.
class LentQueues final : public backends::QueueSet {
public:
    explicit LentQueues(std::unique_ptr<posix::DriverQueues> queues) : queues_(std::move(queues)) {}

    backends::SetQueue hiprio() noexcept override { return queues_->hiprio(); }
    std::size_t request_queues() const noexcept override { return queues_->request_queues(); }
    backends::SetQueue request_queue(std::size_t number) noexcept override { return queues_->request_queue(number); }
    const FsConfig& config() const noexcept override { return queues_->config(); }
    Errc stop() noexcept override { return queues_->stop(); }

private:
    std::unique_ptr<posix::DriverQueues> queues_;
};

class OwnQueuesDevice final : public backends::Attachment {
public:
    OwnQueuesDevice(std::unique_ptr<backends::Loopback> device, const posix::RingOptions& rings)
        : device_(std::move(device)), rings_(rings) {}

    backends::OwnQueues own_queues() override {
        auto queues = posix::DriverQueues::bring_up(*device_, rings_);
        if (!queues) return {nullptr, queues.failure().errc};
        return {std::make_unique<LentQueues>(*std::move(queues)), Errc::ok};
    }
    Result<Region> allocate(std::size_t bytes) noexcept override { return device_->allocate(bytes); }
    void release(const Region& region) noexcept override { device_->release(region); }
    void on_gone(std::function<void()> handler) override { device_->on_gone(std::move(handler)); }
    client::Quirks quirks() const noexcept override { return device_->quirks(); }
    std::uint64_t system_calls() const noexcept override { return device_->system_calls(); }
    std::vector<std::pair<std::string, std::string>> describe() const override { return {{"transport", "its own"}}; }

private:
    std::unique_ptr<backends::Loopback> device_;
    posix::RingOptions rings_;
};

struct OverOwnQueues {
    explicit OverOwnQueues(LoopbackService service, const posix::MountOptions& options = {}) {
        backends::LoopbackOptions device;
        device.service = service;
        device.offered.add(Feature::ring_packed);
        auto made = backends::make_loopback(fs, std::move(device));
        loopback = made.get();
        mount = test::mount_of(std::make_unique<OwnQueuesDevice>(std::move(made), options.channel.rings), options);
    }

    backends::Memfs fs;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<posix::Mount> mount;
};

} // namespace

TEST_CASE("a mount works over an attachment's own queues", "[own_queues]") {
    const Watchdog watchdog("own queues");
    posix::MountOptions options;
    options.channel.waiting = GENERATE(Waiting::event, Waiting::poll, Waiting::adaptive);
    OverOwnQueues over(GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads), options);
    posix::Mount& mount = *over.mount;
    CHECK(mount.channel().rings() == nullptr);
    CHECK(mount.channel().queues().request_queues() == 1);
    constexpr std::size_t kSize = 300'000;
    constexpr int kThreads = 4;
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            const std::string path = "/file" + std::to_string(t);
            const auto data = test::noise(kSize, static_cast<unsigned>(t));
            auto file = mount.open_file(path, kOCreat | kORdwr);
            auto buffer = mount.allocate(kSize);
            if (!file || !buffer) {
                ++failures;
                return;
            }
            const auto written = mount.write(*file, data, 0); // bounced
            failures += !written || *written != kSize;
            const auto read = mount.read(*file, buffer->bytes(), 0); // registered
            failures += !read || *read != kSize || !std::equal(data.begin(), data.end(), buffer->bytes().begin());
            failures += mount.close(*std::move(file)).happened();
            failures += mount.unlink(path).happened();
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
    CHECK(value_of(mount.list("/")).empty());
    CHECK(mount.channel().stats().requests > 0);
    CHECK(mount.channel().stats().doorbells == 0); // whose count is not told
    mount.prune();
    test::until([&] { return over.fs.lookups() == 0; });
}

TEST_CASE("an attachment with queues of its own may go at any time", "[own_queues]") {
    const Watchdog watchdog("own queues that go");
    OverOwnQueues over(LoopbackService::threads);
    succeeds(over.mount->mkdir("/d"));
    over.loopback->fail("pulled out");
    test::until([&] { return over.mount->channel().failure() != Errc::ok; });
    CHECK(over.mount->stat("/d").failure().is_fatal());
}

TEST_CASE("why an attachment has no queues is why there is no mount", "[own_queues]") {
    backends::Memfs fs;
    posix::RingOptions rings;
    rings.max_segments = 0;
    auto mount = posix::Mount::open(std::make_unique<OwnQueuesDevice>(backends::make_loopback(fs), rings));
    REQUIRE_FALSE(mount);
    CHECK(mount.failure().errc == Errc::bad_argument);
}
