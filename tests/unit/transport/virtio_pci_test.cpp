// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "unit/transport/pci_model.hpp"

#include "vfsproto/transport/bring_up.hpp"
#include "vfsproto/transport/fs_config.hpp"

using namespace vfsproto;
using test::addresses;
using test::kQueue0;
using test::kQueue1;
using test::PciModel;

namespace {

// Everything a driver of virtio-fs does to have two queues.
Errc bring_up(BringUp& device, VirtioPci& transport, FeatureSet wanted = FeatureSet::of(Feature::event_idx)) {
    if (const auto features = device.negotiate(wanted | transport.supported_features()); !features)
        return features.error();
    if (const auto config = read_fs_config(transport, device.features()); !config) return config.error();
    for (const QueueIndex index : {kQueue0, kQueue1}) {
        if (const auto size = transport.max_queue_size(index); !size) return size.error();
        if (const Errc why = device.enable_queue(index, addresses()); why != Errc::ok) return why;
    }
    return device.go_live();
}

std::vector<std::string> after(const PciModel& model, std::size_t from) {
    return {model.bus.log.begin() + static_cast<std::ptrdiff_t>(from), model.bus.log.end()};
}

} // namespace

// virtio 1.2 §3.1.1, §4.1.3.1, §4.1.4.3.2
TEST_CASE("virtio-pci negotiates in two halves of 32 bits, by accesses of natural width", "[transport]") {
    PciModel model;
    model.offered = FeatureSet(0x0000'0105'3000'0001);
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(device.negotiate(FeatureSet::of(Feature::event_idx)));
    CHECK(model.bus.log == std::vector<std::string>{
                               "common w8 14=0",         // reset
                               "common r8 14=0",         // done
                               "common w8 14=1",         // ACKNOWLEDGE
                               "common r8 14=1",         //
                               "common w8 14=3",         // DRIVER
                               "common r8 14=3",         //
                               "common w32 00=0",        // features, lower half
                               "common r32 04=30000001", //
                               "common w32 00=1",        // upper half
                               "common r32 04=105",      //
                               "common w32 08=0",        // accepted, lower half
                               "common w32 0c=20000000", // EVENT_IDX
                               "common w32 08=1",        // upper half
                               "common w32 0c=1",        // VERSION_1
                               "common w8 14=b",         // FEATURES_OK
                               "common r8 14=b",         //
                               "common r8 14=b",         // kept
                           });
    CHECK(model.driver_features == 0x1'2000'0000);
}

// virtio 1.2 §4.1.3.1, §4.1.4.3.2, §4.1.4.5.2
TEST_CASE("virtio-pci sets a queue up with its vector, its size and six half addresses", "[transport]") {
    PciModel model;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(device.negotiate(FeatureSet{}));
    const std::size_t before = model.bus.log.size();
    REQUIRE(device.enable_queue(kQueue1, addresses()) == Errc::ok);
    CHECK(after(model, before) == std::vector<std::string>{
                                      "common r16 12=2",        // num_queues
                                      "common w16 16=1",        // queue_select
                                      "common r16 18=80",       // queue_size
                                      "common r16 1c=0",        // not enabled
                                      "common r16 1e=1",        // queue_notify_off
                                      "common w16 10=0",        // the vector of configuration changes
                                      "common r16 10=0",        // taken
                                      "common w16 1a=2",        // the queue's vector
                                      "common r16 1a=2",        // taken
                                      "common w16 18=40",       //
                                      "common w32 20=23456000", //
                                      "common w32 24=1",        //
                                      "common w32 28=0",        //
                                      "common w32 2c=2",        //
                                      "common w32 30=1000",     //
                                      "common w32 34=ffffffff", //
                                      "common w16 1c=1",        // queue_enable
                                      "common r16 1c=1",        //
                                  });
    CHECK(model.queues[1].addresses[0] == 0x1'2345'6000);
    CHECK(transport.queue_vector(kQueue1) == 2);
    CHECK(transport.wait_handle(kQueue1).fd == 102);
    CHECK(transport.queue_vector(kQueue0) == VirtioPci::kNoVector);
    CHECK(transport.wait_handle(kQueue0).fd == -1);
    CHECK(transport.doorbell(kQueue0).ring == nullptr);
}

// virtio 1.2 §4.1.4.4, §4.1.5.2
TEST_CASE("virtio-pci rings a doorbell by one 16-bit write of the queue's number", "[transport]") {
    PciModel model;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(bring_up(device, transport) == Errc::ok);
    const std::size_t before = model.bus.log.size();
    for (const QueueIndex index : {kQueue0, kQueue1}) {
        const Doorbell bell = transport.doorbell(index);
        bell.ring(bell.context, 0x8003);
    }
    CHECK(after(model, before) == std::vector<std::string>{"notify w16 00=0", "notify w16 04=1"});
}

// virtio 1.2 §2.9, §4.1.5.2
TEST_CASE("virtio-pci's doorbell tells what NOTIFICATION_DATA and NOTIF_CONFIG_DATA ask for", "[transport]") {
    const auto ring = [](FeatureSet extra, std::uint32_t multiplier) {
        PciModel model;
        model.offered = model.offered | extra;
        VirtioPciWindows windows = model.windows();
        windows.notify_multiplier = multiplier;
        VirtioPci transport(windows, model.interrupts, model.patience);
        BringUp device(transport);
        REQUIRE(bring_up(device, transport) == Errc::ok);
        const Doorbell bell = transport.doorbell(kQueue1);
        bell.ring(bell.context, 0x8003);
        CHECK(model.bus.misuses == 0);
        return model.bus.log.back();
    };
    CHECK(ring(FeatureSet::of(Feature::notification_data), 4) == "notify w32 04=80030001");
    CHECK(ring(FeatureSet::of(Feature::notif_config_data), 2) == "notify w16 02=41");
    CHECK(ring(FeatureSet::of(Feature::notification_data, Feature::notif_config_data), 8) == "notify w32 08=80030041");
    CHECK(ring(FeatureSet{}, 0) == "notify w16 00=1");
}

// virtio 1.2 §4.1.4.4
TEST_CASE("virtio-pci refuses a doorbell outside its window or not aligned", "[transport]") {
    const struct {
        FeatureSet extra;
        std::uint32_t notify_off, multiplier;
        std::uint64_t window;
        Errc answer;
    } cases[] = {
        {FeatureSet{}, 63, 4, 0xfe, Errc::ok},
        {FeatureSet{}, 63, 4, 0xfd, Errc::config_invalid},
        {FeatureSet{}, 0xfffe, 0x80000000, 0x100, Errc::config_invalid},
        {FeatureSet{}, 0, 0, 1, Errc::config_invalid},
        {FeatureSet::of(Feature::notification_data), 63, 4, 0x100, Errc::ok},
        {FeatureSet::of(Feature::notification_data), 63, 4, 0xff, Errc::config_invalid},
        {FeatureSet::of(Feature::notification_data), 1, 2, 0x100, Errc::config_invalid}, // 32 bits at 2
    };
    for (const auto& each : cases) {
        INFO(each.notify_off << " * " << each.multiplier << " in " << each.window);
        PciModel model;
        model.offered = model.offered | each.extra;
        model.queues[1].notify_off = each.notify_off;
        model.notify.resize(each.window);
        VirtioPciWindows windows = model.windows();
        windows.notify_multiplier = each.multiplier;
        VirtioPci transport(windows, model.interrupts, model.patience);
        BringUp device(transport);
        REQUIRE(device.negotiate(transport.supported_features()));
        CHECK(device.enable_queue(kQueue1, addresses()) == each.answer);
        CHECK((transport.doorbell(kQueue1).ring != nullptr) == (each.answer == Errc::ok));
        CHECK(model.queues[1].enabled == (each.answer == Errc::ok ? 1 : 0));
    }
}

// virtio 1.2 §4.1.5.1.2.2
TEST_CASE("virtio-pci goes on with fewer vectors when the device takes no more", "[transport]") {
    const struct {
        std::uint16_t wired;
        std::uint32_t taken;
        std::uint16_t first, second;
    } cases[] = {{3, 0x800, 1, 2}, {8, 0x800, 1, 2}, {2, 0x800, 1, 1}, {1, 0x800, 0, 0}, {3, 2, 1, 1}, {3, 1, 0, 0}};
    for (const auto& each : cases) {
        INFO(each.wired << " wired, " << each.taken << " taken");
        PciModel model(each.wired);
        model.vectors_taken = each.taken;
        VirtioPci transport(model.windows(), model.interrupts, model.patience);
        BringUp device(transport);
        REQUIRE(bring_up(device, transport) == Errc::ok);
        CHECK(transport.config_vector() == 0);
        CHECK(transport.queue_vector(kQueue0) == each.first);
        CHECK(transport.queue_vector(kQueue1) == each.second);
        CHECK(model.queues[1].vector == each.second);
        CHECK(transport.wait_handle(kQueue1).fd == 100 + each.second);
    }
}

// virtio 1.2 §4.1.5.1.2.2
TEST_CASE("virtio-pci names a device that takes no vector at all", "[transport]") {
    for (const bool config : {true, false}) {
        PciModel model;
        model.refuses_config_vector = config;
        if (!config) model.vectors_taken = 0;
        VirtioPci transport(model.windows(), model.interrupts, model.patience);
        BringUp device(transport);
        CHECK(bring_up(device, transport) == Errc::transport_failed);
        CHECK(device.step() == BringUp::Step::enable_queue);
    }
}

// virtio 1.2 §4.1.5.3
TEST_CASE("virtio-pci without MSI-X writes no vector and reads the ISR to acknowledge", "[transport]") {
    PciModel model(0);
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(bring_up(device, transport) == Errc::ok);
    for (const std::string& line : model.bus.log) {
        CHECK(line.find(" w16 1a=") == std::string::npos);
        CHECK(line.find(" w16 10=") == std::string::npos);
    }
    CHECK(transport.config_vector() == VirtioPci::kNoVector);
    CHECK(transport.wait_handle(kQueue1).fd == 100);
    for (std::uint8_t cause = 0; cause < 4; ++cause) {
        model.isr.bytes[0] = cause;
        const auto seen = transport.acknowledge_interrupt();
        REQUIRE(seen);
        CHECK(model.bus.log.back().rfind("isr r8 00=", 0) == 0);
        CHECK(seen->queues == ((cause & 1) != 0));
        CHECK(seen->configuration == ((cause & 2) != 0));
    }
    model.bus.leaves_at = 0;
    CHECK(transport.acknowledge_interrupt().error() == Errc::device_gone);
}

// virtio 1.2 §2.5.1, §4.1.3.1
TEST_CASE("virtio-pci reads the configuration space by the widths of its fields, in one generation", "[transport]") {
    PciModel model;
    model.generation_moves = 2; // before the first reading ends, and before the second does
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    const auto config = read_fs_config(transport, FeatureSet::of(Feature::version_1));
    REQUIRE(config);
    CHECK(std::string(config->tag) == "myfs");
    CHECK(config->num_request_queues == 1);
    // The generation is read, then the tag byte by byte, then the number of queues, all of it twice; then the generation.
    constexpr std::size_t kTagAt = 1;
    constexpr std::size_t kQueuesAt = kTagAt + FsConfig::kTagSize;
    REQUIRE(model.bus.log.size() == 2 * (kQueuesAt + 1) + 1);
    CHECK(model.bus.log[0] == "common r8 15=8");
    CHECK(model.bus.log[kTagAt] == "device r8 00=6d");
    CHECK(model.bus.log[kQueuesAt - 1] == "device r8 23=0");
    CHECK(model.bus.log[kQueuesAt] == "device r32 24=1");
    CHECK(model.bus.log[kQueuesAt + 1] == "common r8 15=9");
    CHECK(model.bus.log.back() == "common r8 15=9");
}

TEST_CASE("virtio-pci gives up on a configuration space that never settles", "[transport]") {
    PciModel model;
    model.generation_moves = 1000000;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    std::byte out[4];
    CHECK(transport.read_config(36, out) == Errc::config_invalid);
    CHECK(model.bus.accesses < 200);
}

// virtio 1.2 §2.5.1
TEST_CASE("virtio-pci reads nothing beyond the configuration space", "[transport]") {
    PciModel model;
    VirtioPciWindows windows = model.windows();
    VirtioPci transport(windows, model.interrupts, model.patience);
    std::byte out[8];
    CHECK(transport.read_config(40, out) == Errc::config_invalid);
    CHECK(transport.read_config(0xffffffff, out) == Errc::config_invalid);
    CHECK(transport.read_config(44, {}) == Errc::ok);
    CHECK(model.bus.misuses == 0);
    windows.device = nullptr;
    VirtioPci without(windows, model.interrupts, model.patience);
    CHECK(without.read_config(0, out) == Errc::config_invalid);
}

TEST_CASE("virtio-pci takes any generation, also one that reads all ones", "[transport]") {
    PciModel model;
    model.generation = 0xff;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    std::byte out[4];
    CHECK(transport.read_config(36, out) == Errc::ok);
    model.bus.leaves_at = model.bus.accesses;
    CHECK(transport.read_config(36, out) == Errc::device_gone);
}

// virtio 1.2 §2.4.2
TEST_CASE("virtio-pci waits until a reset is done, and not for ever", "[transport]") {
    PciModel model;
    model.reset_looks = 3;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    CHECK(transport.reset() == Errc::ok);
    CHECK(model.patience.waits == 3);
    model.reset_looks = 1000000;
    CHECK(transport.reset() == Errc::reset_timeout);
    CHECK(model.patience.waits < 20);

    BringUp device(transport);
    CHECK(device.tear_down() == Errc::reset_timeout);
    CHECK(device.state() == BringUp::State::failed);
}

TEST_CASE("virtio-pci says which queues there are", "[transport]") {
    PciModel model;
    model.queues.resize(config::kMaxQueues + 1);
    model.queues[1].largest = 0;
    model.queues[2].largest = 32769;
    model.queues[3].largest = 32768;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    CHECK(*transport.queue_count() == model.queues.size());
    CHECK(*transport.max_queue_size(kQueue0) == 128);
    CHECK(transport.max_queue_size(kQueue1).error() == Errc::queue_absent);
    CHECK(transport.max_queue_size(QueueIndex{2}).error() == Errc::config_invalid);
    CHECK(*transport.max_queue_size(QueueIndex{3}) == 32768);
    CHECK(transport.max_queue_size(QueueIndex{config::kMaxQueues}).error() == Errc::queue_absent);
    CHECK(transport.max_queue_size(QueueIndex{0xffff}).error() == Errc::queue_absent);
    CHECK(transport.doorbell(QueueIndex{0xffff}).ring == nullptr);
    CHECK(transport.wait_handle(QueueIndex{0xffff}).fd == -1);
    CHECK(transport.queue_vector(QueueIndex{0xffff}) == VirtioPci::kNoVector);
    model.queues.resize(1);
    CHECK(transport.max_queue_size(kQueue1).error() == Errc::queue_absent);
    model.queues.resize(2);
    model.hidden_queues = 1; // an administration queue, say
    CHECK(transport.max_queue_size(kQueue1).error() == Errc::queue_absent);
    CHECK(transport.enable_queue(kQueue1, addresses()) == Errc::queue_absent);
}

// virtio 1.2 §4.1.4.3.2
TEST_CASE("virtio-pci writes no size a device does not have, and enables no queue twice", "[transport]") {
    PciModel model;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    CHECK(transport.enable_queue(kQueue0, addresses(0)) == Errc::bad_argument);
    CHECK(transport.enable_queue(kQueue0, addresses(129)) == Errc::bad_argument);
    CHECK(transport.enable_queue(kQueue0, addresses(128)) == Errc::ok);
    CHECK(transport.enable_queue(kQueue0, addresses(128)) == Errc::wrong_state);
    model.comes_up = false;
    CHECK(transport.enable_queue(kQueue1, addresses()) == Errc::transport_failed);
    CHECK(transport.doorbell(kQueue1).ring == nullptr);
}

// virtio 1.2 §2.6.1.1, §2.6.1.2, §4.1.4.3.2
TEST_CASE("virtio-pci resets a queue, waits until it is done and enables it again", "[transport]") {
    PciModel model;
    model.offered.add(Feature::ring_reset);
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(bring_up(device, transport) == Errc::ok);
    const std::size_t before = model.bus.log.size();
    REQUIRE(device.reset_queue(kQueue1) == Errc::ok);
    CHECK(after(model, before) == std::vector<std::string>{"common w16 16=1", "common w16 3a=1", "common r16 3a=1",
                                                           "common r8 14=f", "common r16 3a=0", "common r16 1c=0"});
    CHECK(model.patience.waits == 1);
    CHECK(transport.doorbell(kQueue1).ring == nullptr);
    CHECK(transport.reset_queue(kQueue1) == Errc::wrong_state);
    REQUIRE(device.enable_again(kQueue1, addresses(32)) == Errc::ok);
    CHECK(model.queues[1].size == 32);
    CHECK(device.state() == BringUp::State::live);

    model.queues[1].reset_looks = 1000000;
    CHECK(device.reset_queue(kQueue1) == Errc::reset_timeout);
    CHECK(device.state() == BringUp::State::failed);
    CHECK(device.step() == BringUp::Step::reset_queue);
}

TEST_CASE("a queue is reset only when that was negotiated", "[transport]") {
    PciModel model;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    CHECK(device.reset_queue(kQueue0) == Errc::wrong_state);
    CHECK(device.enable_again(kQueue0, addresses()) == Errc::wrong_state);
    REQUIRE(bring_up(device, transport) == Errc::ok);
    CHECK(device.reset_queue(kQueue0) == Errc::not_negotiated);
    CHECK(transport.reset_queue(kQueue0) == Errc::not_negotiated);
    CHECK(device.state() == BringUp::State::live);
    CHECK(model.queues[0].resets == 0);
}

// virtio 1.2 §2.2.1, §6.1
TEST_CASE("features of the transport are taken where it can do them", "[transport]") {
    PciModel model;
    model.offered = model.offered | kTransportFeatures;
    const auto negotiated = [&](VirtioPci& transport) {
        BringUp device(transport);
        const auto features = device.negotiate(kTransportFeatures);
        return features ? *features & kTransportFeatures : FeatureSet{};
    };
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    CHECK(negotiated(transport) == kTransportFeatures);

    transport.withhold(FeatureSet::of(Feature::access_platform, Feature::notification_data));
    CHECK(negotiated(transport) ==
          FeatureSet::of(Feature::order_platform, Feature::notif_config_data, Feature::ring_reset));

    model.common.resize(0x38); // an older device, whatever it offers
    transport.withhold({});
    CHECK(negotiated(transport) ==
          FeatureSet::of(Feature::access_platform, Feature::order_platform, Feature::notification_data));
    CHECK(model.bus.misuses == 0);
}

TEST_CASE("a device that lacks what its host requires is refused", "[transport]") {
    PciModel model;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    transport.require(FeatureSet::of(Feature::access_platform));
    BringUp device(transport);
    CHECK(device.negotiate(FeatureSet{}).error() == Errc::features_refused);
    REQUIRE(device.tear_down() == Errc::ok);
    model.offered.add(Feature::access_platform);
    REQUIRE(device.negotiate(FeatureSet{}));
    CHECK(device.features().has(Feature::access_platform));
}

TEST_CASE("virtio-pci tells a device that needs a reset from one that left", "[transport]") {
    PciModel model;
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    BringUp device(transport);
    REQUIRE(bring_up(device, transport) == Errc::ok);
    CHECK(check_health(transport) == Errc::ok);
    model.raised_status = status::kNeedsReset;
    CHECK(check_health(transport) == Errc::needs_reset);
    model.bus.leaves_at = 0;
    CHECK(check_health(transport) == Errc::device_gone);
    CHECK(transport.reset() == Errc::device_gone);
    CHECK(device.tear_down() == Errc::device_gone);
    CHECK(device.state() == BringUp::State::down);
}

TEST_CASE("features of a device that left are none", "[transport]") {
    for (std::size_t n = 0; n < 4; ++n) {
        PciModel model;
        VirtioPci transport(model.windows(), model.interrupts, model.patience);
        model.bus.leaves_at = n;
        CHECK(transport.device_features().error() == Errc::device_gone);
    }
    PciModel model;
    model.offered = FeatureSet(0xffff'ffff'0000'0000);
    VirtioPci transport(model.windows(), model.interrupts, model.patience);
    REQUIRE(transport.device_features());
    CHECK(*transport.device_features() == model.offered);
}

// virtio 1.2 §4.1.4.7
TEST_CASE("virtio-pci says where shared memory is", "[transport]") {
    PciModel model;
    VirtioPciWindows windows = model.windows();
    windows.shared[0] = {0, {2, 0x8'0000'0000, 0x4000'0000}};
    windows.shared[1] = {7, {4, 0x1000, 0x1000}};
    windows.shared_count = 1;
    VirtioPci transport(windows, model.interrupts, model.patience);
    const auto window = transport.shared_memory(0);
    REQUIRE(window);
    CHECK(window->bar == 2);
    CHECK(window->address == 0x8'0000'0000);
    CHECK(window->length == 0x4000'0000);
    CHECK(transport.shared_memory(7)->length == 0); // not counted
    windows.shared_count = 1000;
    CHECK(VirtioPci(windows, model.interrupts, model.patience).shared_memory(9)->length == 0);
}

TEST_CASE("a virtio-pci device that leaves at any access of bring-up is gone", "[transport]") {
    for (const std::uint16_t vectors : {std::uint16_t{0}, std::uint16_t{3}}) {
        const auto run = [&](PciModel& model) {
            model.offered = model.offered | kTransportFeatures;
            VirtioPci transport(model.windows(), model.interrupts, model.patience);
            BringUp device(transport);
            const Errc why = bring_up(device, transport);
            if (why != Errc::ok) return why;
            return device.reset_queue(kQueue1);
        };
        PciModel whole(vectors);
        REQUIRE(run(whole) == Errc::ok);
        for (std::size_t n = 0; n < whole.bus.accesses; ++n) {
            INFO("leaves at access " << n << ": " << whole.bus.log[n]);
            PciModel model(vectors);
            model.bus.leaves_at = n;
            CHECK(run(model) == Errc::device_gone);
            CHECK(model.bus.misuses == 0);
            CHECK(model.bus.accesses < 1000);
        }
    }
}
