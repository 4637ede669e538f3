// SPDX-License-Identifier: BSD-2-Clause
// A file system of one file whose READs wait, by their offset, until the test lets them go. Safe on several lanes.
#pragma once

#include "vfsproto/fuse/server/server_lane.hpp"

#include <array>
#include <cstring>
#include <list>
#include <mutex>
#include <set>

namespace vfsproto::test {

class GateFileSystem {
public:
    template <wire::Opcode Op> using In = server::RequestOf<Op>;
    template <wire::Opcode Op> using Out = server::ReplyTo<Op>;
    using Opcode = wire::Opcode;

    server::ServerOptions options() noexcept { return {}; }
    void on_init(const server::ServerSession&) noexcept {}
    void on_destroy() noexcept {}

    // READs at this offset wait from now on.
    void close_gate(std::uint64_t offset) {
        const std::lock_guard lock(mutex_);
        closed_.insert(offset);
    }
    // Those that wait there can be answered: Loopback::complete() does.
    void open_gate(std::uint64_t offset) {
        const std::lock_guard lock(mutex_);
        closed_.erase(offset);
    }
    [[nodiscard]] std::size_t waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }

    // Every byte of the file is the low byte of the READ's offset.
    void handle(const In<Opcode::read>& request, Out<Opcode::read>& reply) noexcept {
        const std::lock_guard lock(mutex_);
        if (closed_.count(request.in.offset) == 0) return answer(reply, request.in.offset, request.in.size);
        Waiting& waiting = waiting_.emplace_back();
        waiting.offset = request.in.offset;
        waiting.size = request.in.size;
        waiting.request = reply.park(waiting.room);
    }
    void handle(const In<Opcode::getattr>&, Out<Opcode::getattr>& reply) noexcept {
        wire::AttrOut out{};
        out.attr.ino = 1;
        out.attr.mode = abi::kSIfdir | 0755;
        return reply.ok(out);
    }

    template <class Lane> std::size_t answer_parked(Lane& lane) noexcept {
        const std::lock_guard lock(mutex_);
        std::size_t done = 0;
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (closed_.count(at->offset) != 0 || at->request.lane != lane.id()) {
                ++at;
                continue;
            }
            const Errc errc = lane.template complete<Opcode::read>(
                at->request, [&](auto& reply) { answer(reply, at->offset, at->size); });
            if (errc == Errc::ok) ++done;
            at = waiting_.erase(at);
        }
        return done;
    }
    void abandon_parked(std::uint16_t lane) noexcept {
        const std::lock_guard lock(mutex_);
        waiting_.remove_if([&](const Waiting& waiting) { return waiting.request.lane == lane; });
    }

private:
    struct Waiting {
        server::ParkedRequest request{};
        std::array<HostSegment, 32> room{};
        std::uint64_t offset = 0;
        std::uint32_t size = 0;
    };

    template <class Reply> static void answer(Reply& reply, std::uint64_t offset, std::uint32_t size) noexcept {
        std::uint64_t bytes = 0;
        for (const HostSegment& segment : reply.data_area(size).segments) {
            std::memset(segment.data, static_cast<int>(offset & 0xff), segment.len);
            bytes += segment.len;
        }
        reply.ok_written(bytes);
    }

    std::mutex mutex_;
    std::set<std::uint64_t> closed_;
    std::list<Waiting> waiting_;
};

static_assert(server::FileSystem<GateFileSystem>);

} // namespace vfsproto::test
