// SPDX-License-Identifier: BSD-2-Clause
// An in-process device whose only requests are INIT and DESTROY, answered as the test says.
#pragma once

#include "vfsproto/backends/loopback.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace vfsproto::test {

// The reply the device writes for a request: the bytes behind the header, and the header's own fields.
struct ScriptedReply {
    std::int32_t error = 0; // negative errno
    std::vector<std::byte> body{};
};
using ReplyScript = std::function<ScriptedReply(wire::Opcode)>;

template <class Struct> [[nodiscard]] std::vector<std::byte> body_of(const Struct& value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

class ScriptedSide final : public serving::DeviceSide {
public:
    ScriptedSide(ReplyScript script, std::uint16_t size) : script_(std::move(script)), ring_(size), segments_(size) {}

    Errc start(const serving::RingPlace& place, FeatureSet features, const RegionTable& memory) noexcept override {
        return ring_.start(place, features, memory);
    }
    void stop() noexcept override {}
    std::size_t serve(int call, std::mutex&) noexcept override {
        std::size_t interrupts = 0;
        do {
            Chain chain;
            chain.storage = segments_;
            while (ring_.pop(chain)) {
                answer(chain);
                chain.storage = segments_;
            }
            if (ring_.wants_notification()) {
                backends::signal_event(call);
                ++interrupts;
            }
        } while (ring_.arm());
        return interrupts;
    }
    std::size_t answer_parked(int) noexcept override { return 0; }
    void release_held() noexcept override {}
    std::uint16_t outstanding() const noexcept override { return ring_.outstanding(); }
    Errc error() noexcept override { return ring_.error(); }

private:
    void answer(const Chain& chain) {
        wire::InHeader in{};
        std::memcpy(&in, chain.readable()[0].data, sizeof in);
        const ScriptedReply reply = script_(static_cast<wire::Opcode>(in.opcode));
        wire::OutHeader out{};
        out.len = static_cast<std::uint32_t>(sizeof out + reply.body.size());
        out.error = reply.error;
        out.unique = in.unique;
        std::byte* at = chain.writable()[0].data;
        std::memcpy(at, &out, sizeof out);
        if (!reply.body.empty()) std::memcpy(at + sizeof out, reply.body.data(), reply.body.size());
        static_cast<void>(ring_.push(chain, out.len));
    }

    ReplyScript script_;
    serving::DeviceSideRing ring_;
    std::vector<HostSegment> segments_;
};

class ScriptedServed final : public serving::Served {
public:
    explicit ScriptedServed(ReplyScript script) : script_(std::move(script)) {}
    std::unique_ptr<serving::DeviceSide> make_queue(server::LaneIdentity, std::uint16_t size) override {
        return std::make_unique<ScriptedSide>(script_, size);
    }
    void end_session() noexcept override {}

private:
    ReplyScript script_;
};

[[nodiscard]] inline std::unique_ptr<backends::Loopback> scripted_device(ReplyScript script) {
    return backends::make_loopback_over(std::make_unique<ScriptedServed>(std::move(script)), {});
}

} // namespace vfsproto::test
