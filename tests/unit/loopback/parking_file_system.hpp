// SPDX-License-Identifier: BSD-2-Clause
// A file system of a few rows that is safe on several lanes at once: GETATTR echoes, SETLKW waits for a SETLK on any
// queue or for release().
#pragma once

#include "vfsproto/fuse/server/server_lane.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <list>
#include <mutex>
#include <thread>

namespace vfsproto::test {

class ParkingFileSystem {
public:
    template <wire::Opcode Op> using In = server::RequestOf<Op>;
    template <wire::Opcode Op> using Out = server::ReplyTo<Op>;
    using Opcode = wire::Opcode;

    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::atomic<std::uint64_t> forgotten{0};
    // The thread that served the last GETATTR, and the signals it blocks.
    std::thread::id last_server{};
    sigset_t blocked_signals{};

    server::ServerOptions options() noexcept { return {}; }
    void on_init(const server::ServerSession&) noexcept { ++begun; }
    void on_destroy() noexcept { ++ended; }

    void handle(const In<Opcode::getattr>& request, Out<Opcode::getattr>& reply) noexcept {
        last_server = std::this_thread::get_id();
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked_signals);
        wire::AttrOut out{};
        out.attr.ino = request.header.nodeid;
        return reply.ok(out);
    }
    void handle(const In<Opcode::forget>& request, Out<Opcode::forget>& reply) noexcept {
        forgotten += request.in.nlookup;
        return reply.none();
    }
    void handle(const In<Opcode::interrupt>&, Out<Opcode::interrupt>& reply) noexcept {
        release();
        return reply.none();
    }
    void handle(const In<Opcode::setlk>&, Out<Opcode::setlk>& reply) noexcept {
        release();
        return reply.ok();
    }
    void handle(const In<Opcode::setlkw>&, Out<Opcode::setlkw>& reply) noexcept {
        const std::lock_guard lock(mutex_);
        Waiting& waiting = waiting_.emplace_back();
        waiting.request = reply.park(waiting.room);
    }

    void release() {
        const std::lock_guard lock(mutex_);
        for (Waiting& waiting : waiting_) waiting.granted = true;
    }
    std::size_t waiting() {
        const std::lock_guard lock(mutex_);
        return waiting_.size();
    }

    template <class Lane> std::size_t answer_parked(Lane& lane) noexcept {
        const std::lock_guard lock(mutex_);
        std::size_t done = 0;
        for (auto at = waiting_.begin(); at != waiting_.end();) {
            if (!at->granted || at->request.lane != lane.id()) {
                ++at;
                continue;
            }
            if (lane.template complete<Opcode::setlkw>(at->request, [](auto& reply) { reply.ok(); }) == Errc::ok)
                ++done;
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
        std::array<HostSegment, 4> room{};
        bool granted = false;
    };
    std::mutex mutex_;
    std::list<Waiting> waiting_;
};

static_assert(server::FileSystem<ParkingFileSystem>);

} // namespace vfsproto::test
