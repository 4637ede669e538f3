// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "unit/transport/mmio_model.hpp"

#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"

using namespace vfsproto;
using test::addresses;
using test::kQueue0;
using test::kQueue1;
using test::MmioModel;

namespace {

Errc bring_up(BringUp& device, VirtioMmio& transport) {
    const FeatureSet wanted = FeatureSet::of(Feature::event_idx) | transport.supported_features();
    if (const auto features = device.negotiate(wanted); !features) return features.error();
    if (const auto config = read_fs_config(transport, device.features()); !config) return config.error();
    for (const QueueIndex index : {kQueue0, kQueue1}) {
        if (const Errc why = device.enable_queue(index, addresses()); why != Errc::ok) return why;
    }
    return device.go_live();
}

} // namespace

// virtio 1.2 §3.1.1, §4.2.2.2, §4.2.3.1.1
TEST_CASE("virtio-mmio is brought up by 32-bit accesses in the order of the specification", "[transport]") {
    MmioModel model;
    VirtioMmio transport(model, model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(device.negotiate(FeatureSet::of(Feature::event_idx)));
    REQUIRE(device.enable_queue(kQueue1, addresses()) == Errc::ok);
    REQUIRE(device.go_live() == Errc::ok);
    CHECK(model.bus.log == std::vector<std::string>{
                               "mmio r32 00=74726976", // MagicValue
                               "mmio r32 04=2",        // Version
                               "mmio r32 08=1a",       // DeviceID
                               "mmio w32 70=0",        // reset
                               "mmio r32 70=0",        //
                               "mmio w32 70=1",        // ACKNOWLEDGE
                               "mmio r32 70=1",        //
                               "mmio w32 70=3",        // DRIVER
                               "mmio r32 70=3",        //
                               "mmio w32 14=0",        // DeviceFeaturesSel
                               "mmio r32 10=20000000", //
                               "mmio w32 14=1",        //
                               "mmio r32 10=1",        //
                               "mmio w32 24=0",        // DriverFeaturesSel
                               "mmio w32 20=20000000", //
                               "mmio w32 24=1",        //
                               "mmio w32 20=1",        //
                               "mmio w32 70=b",        // FEATURES_OK
                               "mmio r32 70=b",        //
                               "mmio r32 70=b",        // kept
                               "mmio w32 30=1",        // QueueSel
                               "mmio r32 34=80",       // QueueSizeMax
                               "mmio r32 44=0",        // QueueReady
                               "mmio w32 38=40",       // QueueSize
                               "mmio w32 80=23456000", //
                               "mmio w32 84=1",        //
                               "mmio w32 90=0",        //
                               "mmio w32 94=2",        //
                               "mmio w32 a0=1000",     //
                               "mmio w32 a4=ffffffff", //
                               "mmio w32 44=1",        //
                               "mmio r32 44=1",        //
                               "mmio w32 70=f",        // DRIVER_OK
                               "mmio r32 70=f",        //
                           });
    CHECK(model.bus.misuses == 0);
    CHECK(model.queues[1].addresses[2] == 0xffff'ffff'0000'1000);
    CHECK(transport.wait_handle(kQueue1).fd == 100);
    CHECK(transport.wait_handle(kQueue0).fd == -1);
}

// virtio 1.2 §4.2.2.2, §4.2.3.1.1
TEST_CASE("virtio-mmio knows its registers by magic value and version", "[transport]") {
    MmioModel model;
    VirtioMmio transport(model, model.interrupts, model.patience);
    CHECK(*transport.identify() == kVirtioFsDeviceId);
    model.id = 0;
    CHECK(*transport.identify() == 0);
    CHECK(model.bus.log.back() == "mmio r32 08=0"); // an empty slot: nothing else is touched
    CHECK(transport.reset() == Errc::device_gone);
    model.version = 1;
    CHECK(transport.identify().error() == Errc::no_version_1);
    model.version = 3;
    CHECK(transport.identify().error() == Errc::config_invalid);
    model.magic = 0;
    CHECK(transport.identify().error() == Errc::config_invalid);
    model.magic = 0x74726976;
    model.version = 2;
    model.id = 26;
    for (std::size_t n = 0; n < 3; ++n) {
        model.bus.leaves_at = model.bus.accesses + n;
        CHECK(transport.identify().error() == Errc::device_gone);
    }
    for (std::size_t n = 0; n < 4; ++n) {
        model.bus.leaves_at = model.bus.accesses + n;
        CHECK(transport.device_features().error() == Errc::device_gone);
    }
    model.bus.leaves_at = ~std::size_t{0};
    model.magic = 0xffffffff;
    CHECK(transport.identify().error() == Errc::device_gone);
    model.resize(0xfc);
    CHECK(transport.identify().error() == Errc::config_invalid);
}

// virtio 1.2 §4.2.2.2
TEST_CASE("bring-up refuses a legacy virtio-mmio device before it touches it", "[transport]") {
    MmioModel model;
    model.version = 1;
    VirtioMmio transport(model, model.interrupts, model.patience);
    BringUp device(transport);
    CHECK(device.negotiate(FeatureSet{}).error() == Errc::no_version_1);
    CHECK(model.driver_features == 0);
}

// virtio 1.2 §2.9, §4.2.3.3
TEST_CASE("virtio-mmio rings a doorbell by one 32-bit write", "[transport]") {
    for (const bool data : {false, true}) {
        MmioModel model;
        model.offered = model.offered | (data ? kTransportFeatures : FeatureSet{});
        VirtioMmio transport(model, model.interrupts, model.patience);
        BringUp device(transport);
        REQUIRE(bring_up(device, transport) == Errc::ok);
        CHECK_FALSE(device.features().has(Feature::notif_config_data));
        const Doorbell bell = transport.doorbell(kQueue1);
        bell.ring(bell.context, 0x8003);
        CHECK(model.bus.log.back() == (data ? "mmio w32 50=80030001" : "mmio w32 50=1"));
    }
}

// virtio 1.2 §4.2.2.2
TEST_CASE("virtio-mmio acknowledges exactly what it saw", "[transport]") {
    MmioModel model;
    VirtioMmio transport(model, model.interrupts, model.patience);
    for (std::uint32_t cause = 0; cause < 8; ++cause) {
        model.interrupt = cause;
        const auto seen = transport.acknowledge_interrupt();
        REQUIRE(seen);
        CHECK(seen->queues == ((cause & 1) != 0));
        CHECK(seen->configuration == ((cause & 2) != 0));
        CHECK(model.interrupt == (cause & 4)); // of undefined bits nothing is known
        CHECK(model.bus.log.back()[5] == ((cause & 3) == 0 ? 'r' : 'w'));
    }
    model.bus.leaves_at = 0;
    CHECK(transport.acknowledge_interrupt().error() == Errc::device_gone);
}

// virtio 1.2 §2.5.1, §4.2.2.2
TEST_CASE("virtio-mmio reads the configuration space by the widths of its fields, in one generation", "[transport]") {
    MmioModel model;
    model.generation_moves = 2;
    VirtioMmio transport(model, model.interrupts, model.patience);
    const auto config = read_fs_config(transport, FeatureSet::of(Feature::version_1));
    REQUIRE(config);
    CHECK(std::string(config->tag) == "myfs");
    CHECK(config->num_request_queues == 1);
    // The generation is read, then the tag byte by byte, then the number of queues, all of it twice; then the generation.
    constexpr std::size_t kTagAt = 1;
    constexpr std::size_t kQueuesAt = kTagAt + FsConfig::kTagSize;
    REQUIRE(model.bus.log.size() == 2 * (kQueuesAt + 1) + 1);
    CHECK(model.bus.log[0] == "mmio r32 fc=8");
    CHECK(model.bus.log[kTagAt] == "mmio r8 100=6d");
    CHECK(model.bus.log[kQueuesAt] == "mmio r32 124=1");
    model.generation_moves = 1000000;
    std::byte out[4];
    const std::size_t before = model.bus.accesses;
    CHECK(transport.read_config(36, out) == Errc::config_invalid);
    CHECK(model.bus.accesses - before < 200);
    CHECK(transport.read_config(0xfe, out) == Errc::config_invalid);
    CHECK(transport.read_config(0xffffffff, out) == Errc::config_invalid);
}

// virtio 1.2 §2.4.2
TEST_CASE("virtio-mmio waits until a reset is done, and not for ever", "[transport]") {
    MmioModel model;
    model.reset_looks = 3;
    VirtioMmio transport(model, model.interrupts, model.patience);
    CHECK(transport.reset() == Errc::ok);
    CHECK(model.patience.waits == 3);
    model.reset_looks = 1000000;
    CHECK(transport.reset() == Errc::reset_timeout);
    CHECK(model.patience.waits < 20);
}

// virtio 1.2 §4.2.2.2
TEST_CASE("virtio-mmio says which queues there are, and enables none wrongly", "[transport]") {
    MmioModel model;
    VirtioMmio transport(model, model.interrupts, model.patience);
    CHECK(*transport.queue_count() == 2);
    CHECK(transport.max_queue_size(QueueIndex{2}).error() == Errc::queue_absent);
    CHECK(transport.max_queue_size(QueueIndex{0xffff}).error() == Errc::queue_absent);
    CHECK(transport.enable_queue(kQueue0, addresses(0)) == Errc::bad_argument);
    CHECK(transport.enable_queue(kQueue0, addresses(129)) == Errc::bad_argument);
    CHECK(transport.enable_queue(kQueue0, addresses(128)) == Errc::ok);
    CHECK(transport.enable_queue(kQueue0, addresses(128)) == Errc::wrong_state);
    model.comes_up = false;
    CHECK(transport.enable_queue(kQueue1, addresses()) == Errc::transport_failed);
    CHECK(transport.doorbell(kQueue1).ring == nullptr);
    model.queues[1].largest = 0x10080; // would be 128 in 16 bits
    CHECK(transport.max_queue_size(kQueue1).error() == Errc::config_invalid);
    model.queues.resize(1000);
    model.queues[1].largest = 128;
    CHECK(*transport.queue_count() == config::kMaxQueues);
}

// virtio 1.2 §2.6.1.1, §2.6.1.2, §4.2.2.2
TEST_CASE("virtio-mmio resets a queue, waits until it is done and enables it again", "[transport]") {
    MmioModel model;
    VirtioMmio plain(model, model.interrupts, model.patience);
    CHECK(plain.reset_queue(kQueue1) == Errc::not_negotiated);
    model.offered.add(Feature::ring_reset);
    VirtioMmio transport(model, model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(bring_up(device, transport) == Errc::ok);
    REQUIRE(device.reset_queue(kQueue1) == Errc::ok);
    CHECK(model.queues[1].resets == 1);
    CHECK(model.patience.waits == 1);
    CHECK(transport.doorbell(kQueue1).ring == nullptr);
    REQUIRE(device.enable_again(kQueue1, addresses(32)) == Errc::ok);
    CHECK(model.queues[1].size == 32);
    model.queues[1].reset_looks = 1000000;
    CHECK(device.reset_queue(kQueue1) == Errc::reset_timeout);
}

TEST_CASE("virtio-mmio says where shared memory is", "[transport]") {
    MmioModel model;
    VirtioMmio transport(model, model.interrupts, model.patience);
    const auto window = transport.shared_memory(0);
    REQUIRE(window);
    CHECK(window->bar == SharedMemory::kNoBar);
    CHECK(window->address == 0x8'0000'0000);
    CHECK(window->length == 0x1'0000'0000);
    CHECK(transport.shared_memory(1)->length == 0);
    model.shared_base = 0xffff'ffff'0000'0000;
    model.shared_length = 0x1'0000'0001;
    CHECK(transport.shared_memory(0).error() == Errc::config_invalid);
    model.bus.leaves_at = 0;
    CHECK(transport.shared_memory(0).error() == Errc::device_gone);
}

TEST_CASE("virtio-mmio tells a device that needs a reset from one that left", "[transport]") {
    MmioModel model;
    VirtioMmio transport(model, model.interrupts, model.patience);
    CHECK(check_health(transport) == Errc::ok);
    model.raised_status = status::kNeedsReset;
    CHECK(check_health(transport) == Errc::needs_reset);
    model.bus.leaves_at = 0;
    CHECK(check_health(transport) == Errc::device_gone);
    CHECK(transport.reset() == Errc::device_gone);
}

TEST_CASE("a virtio-mmio device that leaves at any access of bring-up is gone", "[transport]") {
    const auto run = [](MmioModel& model) {
        model.offered = model.offered | kTransportFeatures;
        VirtioMmio transport(model, model.interrupts, model.patience);
        BringUp device(transport);
        const Errc why = bring_up(device, transport);
        if (why != Errc::ok) return why;
        return device.reset_queue(kQueue1);
    };
    MmioModel whole;
    REQUIRE(run(whole) == Errc::ok);
    for (std::size_t n = 0; n < whole.bus.accesses; ++n) {
        INFO("leaves at access " << n << ": " << whole.bus.log[n]);
        MmioModel model;
        model.bus.leaves_at = n;
        CHECK(run(model) == Errc::device_gone);
        CHECK(model.bus.misuses == 0);
        CHECK(model.bus.accesses < 1000);
    }
}
