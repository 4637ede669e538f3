// SPDX-License-Identifier: BSD-2-Clause
// A channel to a GateFileSystem, and READs through it.
#pragma once

#include "support/catch.hpp"
#include "support/watchdog.hpp"
#include "unit/posix/gate_file_system.hpp"

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/channel.hpp"

#include <array>
#include <memory>
#include <utility>

namespace vfsproto::test {

using backends::LoopbackService;
using posix::Waiting;

struct GatedChannel {
    explicit GatedChannel(Waiting waiting = Waiting::event,
                          LoopbackService service = LoopbackService::inline_in_doorbell,
                          posix::ChannelOptions options = {}, backends::LoopbackOptions device = {}) {
        device.service = service;
        options.waiting = waiting;
        auto made = backends::make_loopback(fs, std::move(device));
        REQUIRE(made);
        loopback = made.get();
        auto opened = posix::Channel::open(std::move(made), options);
        if (!opened) FAIL("cannot open: " << opened.failure().text());
        channel = *std::move(opened);
    }

    void open_gate(std::uint64_t offset) {
        fs.open_gate(offset);
        loopback->complete();
    }
    [[nodiscard]] posix::SharedLaneCounters counters() {
        const posix::SharedLane::Lock lock(channel->shared_lane());
        return channel->shared_lane().counters();
    }

    GateFileSystem fs;
    backends::Loopback* loopback = nullptr;
    std::unique_ptr<posix::Channel> channel;
};

// One READ, with room for what it brings.
struct GatedRead {
    static constexpr std::uint32_t kSize = 64;

    explicit GatedRead(std::uint64_t at = 0) { prepare(at); }
    void prepare(std::uint64_t at) {
        offset = at;
        operation.call.args.offset = at;
        operation.call.args.size = kSize;
        operation.call.data_out = {bytes.data(), kSize, {}};
    }
    void run(posix::Channel& channel) { channel.run(operation, channel.own_caller(), wire::kRootNodeId); }
    [[nodiscard]] bool good() const {
        if (!operation.succeeded() || operation.call.bytes != kSize) return false;
        for (const std::byte byte : bytes) {
            if (byte != static_cast<std::byte>(offset & 0xff)) return false;
        }
        return true;
    }

    client::Single<wire::Opcode::read> operation;
    std::uint64_t offset = 0;
    std::array<std::byte, kSize> bytes{};
};

} // namespace vfsproto::test
