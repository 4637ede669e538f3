// SPDX-License-Identifier: BSD-2-Clause
// The server's lane over a file system that notes what it is asked and answers what it is told.
#pragma once

#include "support/message.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"

#include <array>
#include <memory>
#include <string>

namespace vfsproto::test {

struct ToldFileSystem {
    // The last request.
    wire::InHeader header{};
    Bytes in;
    std::string first;
    std::string second;
    Bytes data;
    Bytes extensions;
    int asked = 0;
    // The answer: an error, or the bytes behind the header.
    abi::Errno error = abi::Errno::none;
    Bytes body;

    server::ServerOptions options() noexcept {
        server::ServerOptions options;
        options.flags = wire::InitFlags(~std::uint64_t{0});
        return options;
    }
    void on_init(const server::ServerSession&) noexcept {}
    void on_destroy() noexcept {}

    template <class Row> void handle(const server::Request<Row>& request, server::Reply<Row>& reply) noexcept {
        ++asked;
        header = request.header;
        const auto* from = reinterpret_cast<const std::byte*>(&request.in);
        in.assign(from, from + wire::kWireSize<typename Row::In>);
        first = {request.name.data(), request.name.size()};
        second = {request.second_name.data(), request.second_name.size()};
        data.clear();
        for (const HostSegment& segment : request.data.segments) {
            data.insert(data.end(), segment.data, segment.data + segment.len);
        }
        extensions.assign(request.extensions.begin(), request.extensions.end());
        if (error != abi::Errno::none) return reply.error(error);
        if (reply.writer().append(body.data(), body.size())) reply.writer().succeed();
    }
};
static_assert(server::FileSystem<ToldFileSystem>);

// A server with a session that is open, and every flag agreed on.
class ToldServer {
public:
    ToldServer() : ToldServer(wire::InitFlags(~std::uint64_t{0})) {}
    explicit ToldServer(wire::InitFlags flags) {
        wire::InitIn in{};
        in.major = wire::kMajor;
        in.minor = wire::kMinor;
        in.flags = flags.low_word();
        in.flags2 = flags.high_word();
        static_cast<void>(serve(Message(wire::Opcode::init, 0).fixed(in).bytes(), 200));
        if (!session_.ready()) throw std::runtime_error("the server refused INIT");
    }

    // The reply to one request, with so much room for it.
    Bytes serve(const Bytes& request, std::size_t room) {
        std::vector<std::size_t> writable;
        if (room != 0) writable.push_back(room);
        const std::size_t number = queue_.add({request}, writable);
        lane_.serve(1);
        if (!queue_.entry(number).written) throw std::runtime_error("the request was not answered");
        Bytes reply = queue_.entry(number).reply();
        queue_.recycle();
        return reply;
    }

    ToldFileSystem fs;

private:
    FakeDeviceQueue queue_;
    server::ServerSession session_;
    std::array<HostSegment, 8> segments_{};
    std::unique_ptr<server::RequestScratch> scratch_ = std::make_unique<server::RequestScratch>();
    server::ServerLane<FakeDeviceQueue, ToldFileSystem> lane_{queue_, fs, session_, {segments_, *scratch_}, {}};
};

} // namespace vfsproto::test
