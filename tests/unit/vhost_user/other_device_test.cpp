// SPDX-License-Identifier: BSD-2-Clause
// The front end before a device that is no file system: what depends on the type of device comes from the options.
#include "support/catch.hpp"
#include "unit/vhost_user/front_end.hpp"

#include "vfsproto/transport/bring_up.hpp"

#include <filesystem>

using namespace vfsproto;
using backends::VhostUser;
using backends::VhostUserOptions;
using test::lay_out;
using test::Message;
using test::options_for;
using test::ScriptedBackEnd;
using test::vring_state;
using test::words64;

namespace {

// VIRTIO_NET_F_MRG_RXBUF and VIRTIO_NET_F_STATUS (virtio 1.2 §5.1.3).
constexpr std::uint64_t kMergedBuffers = 1u << 15;
constexpr std::uint64_t kLinkStatus = 1u << 16;
constexpr std::uint64_t kConfig = 1u << 9;

VhostUserOptions network_options(ScriptedBackEnd& back_end) {
    VhostUserOptions options = options_for(back_end);
    options.config.clear();
    options.queues_per_count = 2;
    options.quirks = client::Quirks{.peer = "a switch"};
    return options;
}

std::ptrdiff_t open_descriptors() { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); }

} // namespace

TEST_CASE("feature bits of a device type pass through as they are", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.features |= kMergedBuffers | kLinkStatus;
    const auto opened = VhostUser::open(network_options(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    const auto features = steps.negotiate(FeatureSet(kMergedBuffers | 1));
    REQUIRE(features);
    CHECK(steps.offered().bits() ==
          (test::kVersion1Feature | test::kEventIdx | test::kIndirect | kMergedBuffers | kLinkStatus));
    CHECK(features->bits() == (test::kVersion1Feature | kMergedBuffers));
    back_end.await(7);
    CHECK(back_end.log().at(6).payload == words64(test::kVersion1Feature | test::kProtocolFeatures | kMergedBuffers));
}

TEST_CASE("a back end that counts its queues by pairs has twice as many, up to what a message can name",
          "[vhost_user]") {
    ScriptedBackEnd back_end;
    std::uint16_t expected = 0;
    SECTION("one pair") {
        back_end.queues = 1;
        expected = 2;
    }
    SECTION("three pairs") {
        back_end.queues = 3;
        expected = 6;
    }
    SECTION("as many as there can be") {
        back_end.queues = 128;
        expected = 256;
    }
    SECTION("more than there can be") {
        back_end.queues = ~std::uint64_t{0};
        expected = 256;
    }
    const auto opened = VhostUser::open(network_options(back_end));
    REQUIRE(opened);
    CHECK(*opened.device->transport().queue_count() == expected);
}

TEST_CASE("queues that are counted and not used cost no descriptors", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.queues = 128;
    VhostUserOptions options = network_options(back_end);
    const std::ptrdiff_t before = open_descriptors();
    const auto opened = VhostUser::open(std::move(options));
    REQUIRE(opened);
    CHECK(open_descriptors() - before < 16);
    const auto memory = opened.device->allocate(4096);
    REQUIRE(memory);
    Transport& transport = opened.device->transport();
    CHECK(transport.wait_handle(QueueIndex{255}).fd == -1);
    REQUIRE(transport.enable_queue(QueueIndex{255}, lay_out(*memory)) == Errc::ok);
    CHECK(transport.wait_handle(QueueIndex{255}).fd >= 0);
    CHECK(open_descriptors() - before < 32);
}

TEST_CASE("who is known already is not taken for a file system server by what it offers", "[vhost_user]") {
    ScriptedBackEnd back_end; // offers what a virtiofsd does, of which no more than two queues are used
    back_end.queues = 4;
    const auto opened = VhostUser::open(network_options(back_end));
    REQUIRE(opened);
    CHECK(std::string(opened.device->quirks().peer) == "a switch");
    CHECK(*opened.device->transport().queue_count() == 8);
}

TEST_CASE("a device without a configuration space is not asked for one", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.protocol |= kConfig;
    const auto opened = VhostUser::open(network_options(back_end));
    REQUIRE(opened);
    for (const std::uint32_t request : back_end.requests()) CHECK(request != test::kGetConfig);
    std::byte first[1];
    CHECK(opened.device->transport().read_config(0, first) == Errc::config_invalid);
}

TEST_CASE("of many queues the ones that were set up are enabled, by number, once the driver is ready", "[vhost_user]") {
    ScriptedBackEnd back_end;
    back_end.queues = 128;
    const auto opened = VhostUser::open(network_options(back_end));
    REQUIRE(opened);
    BringUp steps(opened.device->transport());
    REQUIRE(steps.negotiate({}));
    const auto memory = opened.device->allocate(8192);
    REQUIRE(memory);
    REQUIRE(steps.enable_queue(QueueIndex{6}, lay_out(*memory)) == Errc::ok);
    REQUIRE(steps.enable_queue(QueueIndex{7}, lay_out(memory->part(4096, 4096))) == Errc::ok);
    const std::size_t before = back_end.requests().size();
    REQUIRE(steps.go_live() == Errc::ok);
    back_end.await(before + 2);
    CHECK(back_end.requests(before) == std::vector<std::uint32_t>{test::kSetVringEnable, test::kSetVringEnable});
    CHECK(back_end.log()[before].payload == vring_state(6, test::kEnabled));
    CHECK(back_end.log()[before + 1].payload == vring_state(7, test::kEnabled));
}
