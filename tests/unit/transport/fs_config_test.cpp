// SPDX-License-Identifier: BSD-2-Clause
#include "support/catch.hpp"
#include "unit/transport/scripted_transport.hpp"

#include "vfsproto/transport/fs_config.hpp"

using namespace vfsproto;
using test::ScriptedTransport;

namespace {

const FeatureSet kPlain = FeatureSet::of(Feature::version_1);
const FeatureSet kNotifying = FeatureSet::of(Feature::version_1, Feature::fs_notification);

void put(std::vector<std::byte>& config, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) config.at(at + i) = static_cast<std::byte>(value >> (8 * i));
}

std::vector<std::byte> config_of(const std::string& tag, std::uint32_t queues, std::size_t size = 40) {
    std::vector<std::byte> config(size);
    std::memcpy(config.data(), tag.data(), tag.size());
    put(config, 36, queues);
    return config;
}

} // namespace

TEST_CASE("fs config is read in one piece of 40 bytes without the notification feature", "[transport]") {
    ScriptedTransport transport;
    transport.config = config_of("home", 3);
    const auto config = read_fs_config(transport, kPlain);
    REQUIRE(config);
    CHECK(std::string(config->tag) == "home");
    CHECK(config->tag_length == 4);
    CHECK(config->num_request_queues == 3);
    CHECK(config->notify_buf_size == 0);
    CHECK(transport.calls == std::vector<std::string>{"config 0+40"});
}

TEST_CASE("a tag of exactly 36 bytes has no NUL and does not run into the queue count", "[transport]") {
    ScriptedTransport transport;
    const std::string tag(36, 'x');
    transport.config = config_of(tag, 0x41);
    const auto config = read_fs_config(transport, kPlain);
    REQUIRE(config);
    CHECK(config->tag_length == 36);
    CHECK(std::string(config->tag) == tag);
    CHECK(config->num_request_queues == 0x41);
}

TEST_CASE("fs config refuses an empty tag, no request queue, and more than an index can name", "[transport]") {
    ScriptedTransport transport;
    transport.config = config_of("", 1);
    CHECK(read_fs_config(transport, kPlain).error() == Errc::config_invalid);
    transport.config = config_of("t", 0);
    CHECK(read_fs_config(transport, kPlain).error() == Errc::config_invalid);
    transport.config = config_of("t", FsConfig::kMaxRequestQueues + 1);
    CHECK(read_fs_config(transport, kPlain).error() == Errc::config_invalid);
    transport.config = config_of("t", 0xffffffff);
    CHECK(read_fs_config(transport, kPlain).error() == Errc::config_invalid);
    transport.config = config_of("t", FsConfig::kMaxRequestQueues);
    CHECK(read_fs_config(transport, kPlain));
}

TEST_CASE("the notification buffer size is read only with its feature", "[transport]") {
    ScriptedTransport transport;
    transport.config = config_of("t", 1, 44);
    put(transport.config, 40, 4096);
    CHECK(read_fs_config(transport, kPlain)->notify_buf_size == 0);
    CHECK(read_fs_config(transport, kNotifying)->notify_buf_size == 4096);
    put(transport.config, 40, 15);
    CHECK(read_fs_config(transport, kNotifying).error() == Errc::config_invalid);
    transport.config.resize(40);
    CHECK(read_fs_config(transport, kNotifying).error() == Errc::config_invalid);
}

TEST_CASE("a failing or short configuration space is an error, not a guess", "[transport]") {
    ScriptedTransport transport;
    transport.config = config_of("t", 1);
    transport.config.resize(39);
    CHECK(read_fs_config(transport, kPlain).error() == Errc::config_invalid);
    transport.fail_at = transport.calls.size();
    transport.fail_with = Errc::device_gone;
    CHECK(read_fs_config(transport, kPlain).error() == Errc::device_gone);
}

TEST_CASE("request queues start after the notification queue only when it was negotiated", "[transport]") {
    CHECK(kHiprioQueue == QueueIndex{0});
    CHECK(request_queue_index(kPlain, 0) == QueueIndex{1});
    CHECK(request_queue_index(kPlain, 4) == QueueIndex{5});
    CHECK(request_queue_index(kNotifying, 0) == QueueIndex{2});
    CHECK(request_queue_index(kNotifying, 4) == QueueIndex{6});
}

TEST_CASE("what a device side writes is what a driver reads, from any offset", "[transport]") {
    FsConfig config;
    std::memcpy(config.tag, "share", 5);
    config.tag_length = 5;
    config.num_request_queues = 7;
    config.notify_buf_size = 512;
    ScriptedTransport transport;
    transport.config.resize(44);
    REQUIRE(write_fs_config(config, 0, transport.config) == 44);
    const auto back = read_fs_config(transport, kNotifying);
    REQUIRE(back);
    CHECK(std::string(back->tag) == "share");
    CHECK(back->num_request_queues == 7);
    CHECK(back->notify_buf_size == 512);
    std::byte four[4]{};
    CHECK(write_fs_config(config, 36, four) == 4);
    CHECK(four[0] == std::byte{7});
    CHECK(write_fs_config(config, 42, four) == 2);
    CHECK(write_fs_config(config, 44, four) == 0);
    CHECK(write_fs_config(config, 0xffffffff, four) == 0);
}
