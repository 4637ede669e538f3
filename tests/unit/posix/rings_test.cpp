// SPDX-License-Identifier: BSD-2-Clause
// Rings of every size, with and without what a device may offer.
#include "support/watchdog.hpp"
#include "unit/posix/mounted.hpp"

#include <atomic>
#include <thread>

using namespace vfsproto;
using namespace vfsproto::abi;
using backends::LoopbackService;
using posix::File;
using posix::Mount;
using posix::UseIndirect;
using posix::Waiting;
using test::MountedOptions;
using test::OverDirectory;
using test::OverMemfs;
using test::succeeds;
using test::value_of;
using test::Watchdog;

namespace {

// use() makes 120 files, for each kind of ring.
MountedOptions with_many_files() {
    MountedOptions options;
    options.scratch = test::Scratch::memory;
    return options;
}

// Uses a bit of everything, from several threads at once.
void use(Mount& mount) {
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const std::string dir = "/dir" + std::to_string(t);
            failures += mount.mkdir(dir).happened();
            const auto data = test::noise(300'000, static_cast<unsigned>(t));
            auto file = mount.open_file(dir + "/file", kOCreat | kORdwr);
            if (!file) {
                ++failures;
                return;
            }
            const auto written = mount.write(*file, data, 0);
            failures += !written || *written != data.size();
            auto buffer = mount.allocate(data.size());
            if (!buffer) {
                ++failures;
                return;
            }
            const auto read = mount.read(*file, buffer->bytes(), 0);
            failures += !read || *read != data.size() || !std::equal(data.begin(), data.end(), buffer->bytes().begin());
            failures += mount.close(*std::move(file)).happened();
            for (int i = 0; i < 30; ++i) {
                failures += mount.mknod(dir + "/n" + std::to_string(i), kSIfreg | 0600, 0).happened();
            }
            const auto names = mount.list(dir);
            failures += !names || names->size() != 31;
            failures += mount.rename(dir + "/file", dir + "/moved").happened();
            failures += mount.unlink(dir + "/moved").happened();
            mount.prune();
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
}

} // namespace

TEST_CASE("a ring whose requests may have no segment is refused", "[rings]") {
    posix::MountOptions options;
    options.channel.rings.max_segments = 0;
    backends::Memfs fs;
    auto mount = Mount::open(backends::make_loopback(fs), options);
    REQUIRE_FALSE(mount);
    CHECK(mount.failure().errc == Errc::bad_argument);
}

TEST_CASE("as many request queues are brought up as are asked for, offered, and borne", "[rings]") {
    constexpr std::uint16_t kOffered = 4;
    struct Case {
        std::uint16_t wanted;
        std::uint16_t borne; // 0: any number
        std::size_t got;
    };
    const Case one = GENERATE(Case{0, 0, 1}, Case{1, 0, 1}, Case{3, 0, 3}, Case{9, 0, kOffered}, Case{9, 2, 2},
                              Case{0xffff, 0, kOffered}, Case{9, 9, kOffered});
    MountedOptions options;
    options.device.num_request_queues = kOffered;
    options.device.quirks.max_request_queues = one.borne;
    options.mount.channel.rings.request_queues = one.wanted;
    OverMemfs over(options);
    CHECK(over->channel().queues().request_queues() == one.got);
    CHECK(over->channel().lanes() == one.got);
    test::put(*over, "/f", "x"); // by the first of them
    CHECK(test::get(*over, "/f") == "x");
}

TEMPLATE_TEST_CASE("a mount works over rings of any size", "[rings]", OverMemfs, OverDirectory) {
    const Watchdog watchdog("sizes of rings");
    MountedOptions options = with_many_files();
    options.device.queue_size = GENERATE(std::uint16_t{2}, std::uint16_t{3}, std::uint16_t{4}, std::uint16_t{64},
                                         std::uint16_t{100}, std::uint16_t{128}, std::uint16_t{1024});
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.mount.channel.rings.indirect = GENERATE(UseIndirect::never, UseIndirect::automatic, UseIndirect::always);
    INFO("size " << options.device.queue_size);
    TestType over(options);
    const std::uint16_t size = over->channel().rings()->request_ring().size();
    CHECK(size == split_size_within(options.device.queue_size));
    CHECK(over->channel().slots() <= size);
    use(*over);
}

TEMPLATE_TEST_CASE("a mount works over packed rings of any size, in order or not", "[rings]", OverMemfs,
                   OverDirectory) {
    const Watchdog watchdog("sizes of packed rings");
    MountedOptions options = with_many_files();
    options.device.offered = options.device.offered | FeatureSet::of(Feature::ring_packed, Feature::in_order);
    options.device.queue_size =
        GENERATE(std::uint16_t{2}, std::uint16_t{3}, std::uint16_t{64}, std::uint16_t{100}, std::uint16_t{1000});
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.mount.channel.rings.indirect = GENERATE(UseIndirect::never, UseIndirect::automatic, UseIndirect::always);
    options.mount.channel.rings.order = GENERATE(UseOrder::any, UseOrder::in_order);
    const bool by_events = GENERATE(false, true);
    if (!by_events) options.mount.channel.rings.withheld.add(Feature::event_idx);
    INFO("size " << options.device.queue_size);
    TestType over(options);
    const posix::DriverQueues& rings = *over->channel().rings();
    CHECK(rings.request_ring().kind() == posix::RingKind::packed);
    CHECK(rings.request_ring().size() == options.device.queue_size);
    const bool is_in_order = options.mount.channel.rings.order == UseOrder::in_order;
    CHECK(rings.features().has(Feature::in_order) == is_in_order);
    const WrittenLength told = is_in_order ? WrittenLength::upper_bound : WrittenLength::exact;
    CHECK(rings.request_ring().limits().written == told);
    CHECK(over->channel().slots() <= rings.request_ring().size());
    use(*over);
}

TEMPLATE_TEST_CASE("a mount works over split rings in order", "[rings]", OverMemfs, OverDirectory) {
    const Watchdog watchdog("split rings in order");
    MountedOptions options = with_many_files();
    options.device.offered = options.device.offered | FeatureSet::of(Feature::in_order);
    options.device.queue_size = GENERATE(std::uint16_t{2}, std::uint16_t{64}, std::uint16_t{1024});
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.mount.channel.rings.indirect = GENERATE(UseIndirect::never, UseIndirect::always);
    options.mount.channel.rings.order = UseOrder::in_order;
    TestType over(options);
    const posix::DriverQueues& rings = *over->channel().rings();
    CHECK(rings.request_ring().kind() == posix::RingKind::split);
    CHECK(rings.features().has(Feature::in_order));
    CHECK(rings.request_ring().limits().written == WrittenLength::upper_bound);
    use(*over);
}

TEST_CASE("IN_ORDER is taken only by who wants it", "[rings]") {
    MountedOptions options;
    options.device.offered = options.device.offered | FeatureSet::of(Feature::ring_packed, Feature::in_order);
    const bool is_withheld = GENERATE(false, true);
    if (is_withheld) options.mount.channel.rings.withheld.add(Feature::in_order);
    options.mount.channel.rings.order = is_withheld ? UseOrder::in_order : UseOrder::any;
    OverMemfs over(options);
    CHECK_FALSE(over->channel().rings()->features().has(Feature::in_order));
    use(*over);
}

TEST_CASE("an offer that is no power of two is rounded down, and so is a wish", "[rings]") {
    MountedOptions options;
    options.device.queue_size = 100;
    CHECK(OverMemfs(options)->channel().rings()->request_ring().size() == 64);
    options.device.queue_size = 256;
    options.mount.channel.rings.queue_size = 100;
    CHECK(OverMemfs(options)->channel().rings()->request_ring().size() == 64);
    options.mount.channel.rings.queue_size = 512;
    CHECK(OverMemfs(options)->channel().rings()->request_ring().size() == 256);
}

TEST_CASE("a ring of one entry cannot be mounted", "[rings]") {
    backends::Memfs fs;
    backends::LoopbackOptions options;
    options.queue_size = 1;
    auto mount = Mount::open(backends::make_loopback(fs, options));
    REQUIRE_FALSE(mount);
    CHECK(mount.failure().errc == Errc::queue_absent);
}

TEMPLATE_TEST_CASE("a mount works without event indices and without indirect descriptors", "[rings]", OverMemfs,
                   OverDirectory) {
    const Watchdog watchdog("features");
    const FeatureSet withheld =
        GENERATE(FeatureSet{}, FeatureSet::of(Feature::event_idx), FeatureSet::of(Feature::indirect_desc),
                 FeatureSet::of(Feature::event_idx, Feature::indirect_desc));
    const bool by_us = GENERATE(true, false);
    MountedOptions options;
    options.device.queue_size = GENERATE(std::uint16_t{2}, std::uint16_t{256});
    options.device.service = GENERATE(LoopbackService::inline_in_doorbell, LoopbackService::threads);
    options.mount.channel.waiting = GENERATE(Waiting::event, Waiting::adaptive);
    if (by_us) {
        options.mount.channel.rings.withheld = withheld;
    } else {
        options.device.offered = FeatureSet(options.device.offered.bits() & ~withheld.bits());
    }
    TestType over(options);
    for (const Feature feature : {Feature::event_idx, Feature::indirect_desc}) {
        CHECK(over->channel().rings()->features().has(feature) != withheld.has(feature));
    }
    CHECK(over->channel().rings()->features().has(Feature::version_1));
    use(*over);
}

TEST_CASE("a device without VERSION_1 is not mounted", "[rings]") {
    backends::Memfs fs;
    backends::LoopbackOptions options;
    options.offered = FeatureSet::of(Feature::event_idx);
    auto mount = Mount::open(backends::make_loopback(fs, options));
    REQUIRE_FALSE(mount);
    CHECK(mount.failure().errc == Errc::no_version_1);
}

TEST_CASE("a read of 128 KiB is three descriptors, or one that is indirect", "[rings]") {
    MountedOptions options;
    options.mount.channel.rings.indirect = GENERATE(UseIndirect::never, UseIndirect::always);
    OverMemfs over(options);
    File file = value_of(over->open_file("/f", kOCreat | kORdwr));
    auto buffer = value_of(over->allocate(128 * 1024));
    REQUIRE(value_of(over->write(file, buffer.bytes(), 0)) == buffer.bytes().size());
    const auto before = over->channel().stats();
    CHECK(value_of(over->read(file, buffer.bytes(), 0)) == buffer.bytes().size());
    const auto after = over->channel().stats();
    CHECK(after.requests - before.requests == 1);
    CHECK(after.doorbells - before.doorbells == 1);
    CHECK(after.copies == before.copies);
    const bool indirect = options.mount.channel.rings.indirect == UseIndirect::always;
    CHECK(after.descriptors - before.descriptors == (indirect ? 1 : 3));
    succeeds(over->close(std::move(file)));
}

TEST_CASE("several request queues are offered, and one is used", "[rings]") {
    MountedOptions options;
    options.device.num_request_queues = 4;
    OverMemfs over(options);
    CHECK(over->channel().rings()->config().num_request_queues == 4);
    use(*over);
}
