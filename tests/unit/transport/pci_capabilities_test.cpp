// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "unit/transport/register_model.hpp"

#include "vfsproto/transport/detail/pci_capabilities.hpp"

using namespace vfsproto;
using test::Bus;
using test::ByteWindow;

namespace {

// A function's configuration space, capability by capability.
class ConfigSpace {
public:
    ConfigSpace() {
        window.put(0x00, 16, kVirtioPciVendor);
        window.put(0x02, 16, kVirtioFsPciDevice);
        window.put(0x06, 16, 0x10);
    }

    struct Cap {
        std::uint8_t type;
        std::uint8_t bar = 4;
        std::uint64_t offset = 0;
        std::uint64_t length = 0x1000;
        std::uint8_t size = 16;
        std::uint32_t multiplier = 4;
        std::uint8_t id = 0;
    };
    // Returns where it stands.
    std::uint8_t add(const Cap& cap, std::uint8_t vendor = 9) {
        const std::uint8_t at = free_;
        window.put(link_, 8, at);
        window.put(at, 8, vendor);
        window.put(at + 2u, 8, cap.size);
        window.put(at + 3u, 8, cap.type);
        window.put(at + 4u, 8, cap.bar);
        window.put(at + 5u, 8, cap.id);
        window.put(at + 8u, 32, static_cast<std::uint32_t>(cap.offset));
        window.put(at + 12u, 32, static_cast<std::uint32_t>(cap.length));
        if (cap.type == 8 && cap.size >= 24) {
            window.put(at + 16u, 32, static_cast<std::uint32_t>(cap.offset >> 32));
            window.put(at + 20u, 32, static_cast<std::uint32_t>(cap.length >> 32));
        } else if (cap.size >= 20) {
            window.put(at + 16u, 32, cap.multiplier);
        }
        link_ = static_cast<std::uint8_t>(at + 1);
        free_ = static_cast<std::uint8_t>(at + ((cap.size + 3u) & ~3u));
        return at;
    }
    void add_usual() {
        add({1, 4, 0x0000});
        add({3, 4, 0x1000});
        add({4, 4, 0x2000});
        add({2, 4, 0x3000, 0x1000, 20});
    }
    void end_at(std::uint8_t next) { window.put(link_, 8, next); }
    Result<VirtioPciLayout> find() { return find_virtio_structures(window, sizes); }

    Bus bus;
    ByteWindow window{bus, "config", std::vector<std::uint8_t>(256)};
    std::array<std::uint64_t, 6> sizes{0, 0, 0x100'0000'0000, 0, 0x4000, 0};

private:
    std::uint8_t link_ = 0x34;
    std::uint8_t free_ = 0x40;
};

} // namespace

// virtio 1.2 §4.1.5.1.1.1
TEST_CASE("the structures of a virtio function are found in its capability list", "[transport]") {
    ConfigSpace space;
    space.add({0, 0, 0, 0, 8}, 0x11); // MSI-X
    space.add_usual();
    const auto layout = space.find();
    REQUIRE(layout);
    CHECK(layout->common.bar == 4);
    CHECK(layout->common.offset == 0);
    CHECK(layout->isr.offset == 0x1000);
    CHECK(layout->device.offset == 0x2000);
    CHECK(layout->notify.offset == 0x3000);
    CHECK(layout->notify.length == 0x1000);
    CHECK(layout->notify_multiplier == 4);
    CHECK(layout->shared_count == 0);
    CHECK(space.bus.misuses == 0);
}

// virtio 1.2 §4.1.4.1
TEST_CASE("of several structures of a type the first usable one counts", "[transport]") {
    ConfigSpace space;
    space.add({1, 6, 0x0});         // a reserved BAR
    space.add({1, 0, 0x0});         // a BAR that is not there
    space.add({1, 4, 0x2, 0x100});  // not aligned
    space.add({1, 4, 0x0, 0x37});   // too short
    space.add({1, 4, 0x4, 0x38});   // the one
    space.add({1, 4, 0x0, 0x1000}); // a second
    space.add({3, 4, 0x1003, 1});   // an ISR may lie anywhere
    space.add({2, 4, 0x3000, 2, 20, 0x10000000});
    const auto layout = space.find();
    REQUIRE(layout);
    CHECK(layout->common.offset == 4);
    CHECK(layout->common.length == 0x38);
    CHECK(layout->isr.offset == 0x1003);
    CHECK(layout->notify_multiplier == 0x10000000);
    CHECK(layout->device.length == 0);
}

TEST_CASE("a structure that leaves its BAR is no structure, whatever the sums wrap to", "[transport]") {
    const struct {
        std::uint64_t offset, length;
    } wrong[] = {{0, 0x4001}, {0x4000, 0x38}, {0x3fcc, 0x38}, {0xfffffffc, 0x38}, {0xffffffc8, 0x38 + 4}, {0, 0}};
    for (const auto& each : wrong) {
        INFO(each.offset << "+" << each.length);
        ConfigSpace space;
        space.add({1, 4, each.offset, each.length});
        space.add({3});
        space.add({2, 4, 0, 0x1000, 20});
        CHECK(space.find().error() == Errc::config_invalid);
    }
    ConfigSpace space;
    space.add_usual();
    space.add({8, 2, 0xffff'ffff'ffff'f000, 0x1000, 24});
    space.add({8, 2, 0x1000, 0xffff'ffff'ffff'f000, 24});
    const auto layout = space.find();
    REQUIRE(layout);
    CHECK(layout->shared_count == 0);
}

// virtio 1.2 §4.1.4.7
TEST_CASE("shared memory is found with all 64 bits, the first of each id", "[transport]") {
    ConfigSpace space;
    space.add({8, 2, 0x8'0000'0000, 0x10'0000'0000, 24, 0, 0});
    space.add({8, 2, 0, 0x1000, 24, 0, 0}); // the id again
    space.add({8, 2, 0, 0x1000, 16, 0, 1}); // too short to have upper halves
    space.add({8, 4, 0x1000, 0x1000, 24, 0, 3});
    space.add({1}), space.add({3}), space.add({2, 4, 0, 0x1000, 20});
    const auto layout = space.find();
    REQUIRE(layout);
    REQUIRE(layout->shared_count == 2);
    CHECK(layout->shared[0].id == 0);
    CHECK(layout->shared[0].where.bar == 2);
    CHECK(layout->shared[0].where.offset == 0x8'0000'0000);
    CHECK(layout->shared[0].where.length == 0x10'0000'0000);
    CHECK(layout->shared[1].id == 3);
}

TEST_CASE("more shared memory than there is room for is left out", "[transport]") {
    ConfigSpace space;
    space.add({1}), space.add({3}), space.add({2, 4, 0, 0x1000, 20});
    for (std::uint8_t id = 0; id < 5; ++id) space.add({8, 4, 0, 0x100, 24, 0, id});
    const auto layout = space.find();
    REQUIRE(layout);
    CHECK(layout->shared_count == VirtioPciLayout::kMaxSharedMemory);
}

// virtio 1.2 §4.1.4.1
TEST_CASE("capabilities of unknown kinds and larger sizes are passed over and accepted", "[transport]") {
    ConfigSpace space;
    space.add({9, 0xff});
    space.add({5, 0, 0, 0, 20});
    space.add({1, 4, 0, 0x800, 24});
    space.add({200, 4});
    space.add({3, 4, 0x1000, 0x1000, 18});
    space.add({2, 4, 0, 0x1000, 40, 0});
    const auto layout = space.find();
    REQUIRE(layout);
    CHECK(layout->common.length == 0x800);
    CHECK(layout->isr.length == 0x1000);
    CHECK(layout->notify_multiplier == 0);
}

TEST_CASE("a notify structure with an impossible multiplier or alignment is not usable", "[transport]") {
    for (const std::uint32_t multiplier : {1u, 3u, 6u, 0xffffffffu}) {
        ConfigSpace space;
        space.add({1}), space.add({3}), space.add({2, 4, 0, 0x1000, 20, multiplier});
        CHECK(space.find().error() == Errc::config_invalid);
        space.add({2, 4, 0, 0x1000, 20, 2});
        CHECK(space.find());
    }
    ConfigSpace odd;
    odd.add({1}), odd.add({3}), odd.add({2, 4, 1, 0x100, 20});
    CHECK(odd.find().error() == Errc::config_invalid);
    ConfigSpace cut;
    cut.add({1}), cut.add({3}), cut.add({2, 4, 0, 0x100, 16});
    CHECK(cut.find().error() == Errc::config_invalid);
}

TEST_CASE("a virtio function lacks nothing of common, notify and ISR", "[transport]") {
    for (unsigned lacks = 0; lacks < 3; ++lacks) {
        ConfigSpace space;
        if (lacks != 0) space.add({1});
        if (lacks != 1) space.add({3});
        if (lacks != 2) space.add({2, 4, 0, 0x1000, 20});
        CHECK(space.find().error() == Errc::config_invalid);
    }
}

TEST_CASE("a capability list that goes round, or nowhere, ends", "[transport]") {
    SECTION("to itself") {
        ConfigSpace space;
        const std::uint8_t at = space.add({1});
        space.end_at(at);
        CHECK(space.find().error() == Errc::config_invalid);
        CHECK(space.bus.accesses < 1000);
    }
    SECTION("with everything in it") {
        ConfigSpace space;
        space.add_usual();
        space.end_at(0x40);
        CHECK(space.find().error() == Errc::config_invalid);
    }
    SECTION("into the header") {
        ConfigSpace space;
        space.add_usual();
        space.end_at(0x10);
        CHECK(space.find().error() == Errc::config_invalid);
    }
    SECTION("a capability cut off by the end of the space is none") {
        ConfigSpace space;
        space.add_usual();
        space.end_at(0xf8);
        space.window.put(0xf8, 8, 9);
        space.window.put(0xfa, 8, 16);
        CHECK(space.find());
        space.end_at(0xf0);
        space.window.put(0xf0, 32, 0x08180009); // shared memory, 24 bytes long
        CHECK(space.find());
        CHECK(space.bus.misuses == 0);
    }
    SECTION("no list at all") {
        ConfigSpace space;
        space.add_usual();
        space.window.put(0x06, 16, 0);
        CHECK(space.find().error() == Errc::config_invalid);
    }
    SECTION("a configuration space that is too short") {
        ConfigSpace space;
        space.add_usual();
        space.window.resize(64);
        CHECK(space.find().error() == Errc::config_invalid);
        CHECK(space.bus.misuses == 0);
    }
}

TEST_CASE("a function that leaves at any access of the walk is gone", "[transport]") {
    ConfigSpace whole;
    whole.add_usual();
    REQUIRE(whole.find());
    for (std::size_t n = 0; n < whole.bus.accesses; ++n) {
        INFO("leaves at access " << n);
        ConfigSpace space;
        space.add_usual();
        space.bus.leaves_at = n;
        CHECK(space.find().error() == Errc::device_gone);
        CHECK(space.bus.misuses == 0);
        CHECK(space.bus.accesses < 1000);
    }
}
