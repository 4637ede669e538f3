// SPDX-License-Identifier: BSD-2-Clause
// A file system behind a server lane and a fake queue: every call goes through the bytes of a request and a reply.
#pragma once

#include "support/message.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"

#include <array>
#include <memory>
#include <string>

namespace vfsproto::test {

template <class Fs> class Served {
public:
    static constexpr std::size_t kRoom = 16 * 1024; // writable bytes of a call, if not said otherwise

    explicit Served(Fs& fs, wire::QueueKind kind = wire::QueueKind::request, std::uint16_t id = 1)
        : Served(fs, std::make_shared<server::ServerSession>(), kind, id) {}
    // Makes another queue of the same device.
    Served(Fs& fs, std::shared_ptr<server::ServerSession> session, wire::QueueKind kind, std::uint16_t id)
        : session_(std::move(session)), lane_(queue_, fs, *session_, {segments_, *scratch_}, {kind, id}) {}

    // Adds a chain and serves it. `writable` are the sizes of its writable segments.
    Answered send(const Message& message, const std::vector<std::size_t>& writable = {16, kRoom}) {
        return send_parts({message.bytes()}, writable);
    }
    Answered send_parts(std::vector<Bytes> readable, const std::vector<std::size_t>& writable = {16, kRoom}) {
        queue_.recycle();
        const std::size_t number = queue_.add(std::move(readable), writable);
        lane_.serve(1);
        return take_apart(queue_.entry(number));
    }

    wire::InitOut init(wire::InitFlags flags, std::uint32_t minor = wire::kMinor) {
        wire::InitIn in{};
        in.major = wire::kMajor;
        in.minor = minor;
        in.max_readahead = 1u << 20;
        in.flags = flags.low_word();
        in.flags2 = flags.high_word();
        const Answered answer = send(Message(wire::Opcode::init, 0).fixed(in));
        if (!answer.ok()) throw std::runtime_error("INIT was refused");
        return answer.as<wire::InitOut>();
    }

    // The typed form: fixed struct, then names or data as given.
    template <wire::Opcode Op> Answered call(std::uint64_t nodeid, const wire::InOf<Op>& in = {}) {
        return send(Message(Op, nodeid).fixed(in));
    }
    template <wire::Opcode Op> Answered call(std::uint64_t nodeid, const wire::InOf<Op>& in, std::string_view name) {
        return send(Message(Op, nodeid).fixed(in).name(name));
    }
    template <wire::Opcode Op>
    Answered call(std::uint64_t nodeid, const wire::InOf<Op>& in, std::string_view name, std::string_view second) {
        return send(Message(Op, nodeid).fixed(in).name(name).name(second));
    }

    FakeDeviceQueue& queue() { return queue_; }
    server::ServerLane<FakeDeviceQueue, Fs>& lane() { return lane_; }
    std::shared_ptr<server::ServerSession> session() { return session_; }

private:
    FakeDeviceQueue queue_;
    std::array<HostSegment, 1100> segments_{};
    std::unique_ptr<server::RequestScratch> scratch_ = std::make_unique<server::RequestScratch>();
    std::shared_ptr<server::ServerSession> session_;
    server::ServerLane<FakeDeviceQueue, Fs> lane_;
};

} // namespace vfsproto::test
