// SPDX-License-Identifier: BSD-2-Clause
// A file system that answers a few rows and remembers what it was asked.
#pragma once

#include "vfsproto/fuse/server/dirent_writer.hpp"
#include "vfsproto/fuse/server/server_lane.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vfsproto::test {

inline std::string text_of(const server::ByteView& view) {
    std::string all;
    for (const HostSegment& segment : view.segments) {
        all.append(reinterpret_cast<const char*>(segment.data), segment.len);
    }
    if (all.size() != view.size) return "the view's size is wrong";
    return all;
}

struct RecordingFileSystem {
    template <wire::Opcode Op> using In = server::RequestOf<Op>;
    template <wire::Opcode Op> using Out = server::ReplyTo<Op>;
    using Opcode = wire::Opcode;

    server::ServerOptions given{};
    std::string content = "0123456789abcdef";
    std::vector<std::string> log;
    std::uint64_t forgotten = 0;
    int sessions_begun = 0;
    int sessions_ended = 0;
    std::vector<std::pair<server::ParkedRequest, std::array<HostSegment, 4>*>> parked;
    bool release_parked = false;
    int abandoned = 0;

    server::ServerOptions options() noexcept { return given; }
    void on_init(const server::ServerSession&) noexcept { ++sessions_begun; }
    void on_destroy() noexcept { ++sessions_ended; }

    void handle(const In<Opcode::lookup>& request, Out<Opcode::lookup>& reply) noexcept {
        log.push_back("lookup " + std::string(request.name.data(), request.name.size()));
        wire::EntryOut entry{};
        entry.nodeid = 2;
        return reply.ok(entry);
    }
    void handle(const In<Opcode::getattr>& request, Out<Opcode::getattr>& reply) noexcept {
        wire::AttrOut out{};
        out.attr.ino = request.header.nodeid;
        out.attr.uid = request.header.uid;
        return reply.ok(out);
    }
    void handle(const In<Opcode::forget>& request, Out<Opcode::forget>& reply) noexcept {
        forgotten += request.in.nlookup;
        return reply.none();
    }
    void handle(const In<Opcode::batch_forget>& request, Out<Opcode::batch_forget>& reply) noexcept {
        auto list = server::records(request);
        for (wire::ForgetOne one{}; list.next(one);) forgotten += one.nlookup;
        return reply.none();
    }
    void handle(const In<Opcode::interrupt>&, Out<Opcode::interrupt>& reply) noexcept { return reply.none(); }
    void handle(const In<Opcode::symlink>& request, Out<Opcode::symlink>& reply) noexcept {
        log.push_back("symlink " + std::string(request.name.data()) + " to " + request.second_name.data() + " with " +
                      std::to_string(request.extensions.size()) + " bytes of extensions");
        return reply.ok({});
    }
    void handle(const In<Opcode::setxattr>& request, Out<Opcode::setxattr>& reply) noexcept {
        log.push_back("setxattr " + std::string(request.name.data()) + " = " + text_of(request.data) + " flags " +
                      std::to_string(request.in.setxattr_flags));
        return reply.ok();
    }
    void handle(const In<Opcode::read>& request, Out<Opcode::read>& reply) noexcept {
        const server::ByteView area = reply.data_area(request.in.size);
        std::size_t at = 0;
        for (const HostSegment& segment : area.segments) {
            for (std::uint32_t i = 0; i < segment.len && at < content.size(); ++i) {
                segment.data[i] = static_cast<std::byte>(content[at++]);
            }
        }
        return reply.ok_written(at);
    }
    void handle(const In<Opcode::readlink>&, Out<Opcode::readlink>& reply) noexcept {
        return reply.data(std::as_bytes(std::span<const char>(content)));
    }
    void handle(const In<Opcode::write>& request, Out<Opcode::write>& reply) noexcept {
        log.push_back("write " + text_of(request.data));
        return reply.ok({static_cast<std::uint32_t>(request.data.size), 0});
    }
    void handle(const In<Opcode::readdir>& request, Out<Opcode::readdir>& reply) noexcept {
        server::DirentWriter records(reply, request.in.size);
        std::uint64_t cookie = 0;
        for (const char* name : {"a", "bb", "ccccccccc"}) {
            ++cookie;
            if (!records.add({cookie + 10, cookie, abi::kDtReg, std::string_view(name)})) break;
        }
        return reply.ok();
    }
    void handle(const In<Opcode::setlkw>&, Out<Opcode::setlkw>& reply) noexcept {
        auto* room = new std::array<HostSegment, 4>{};
        parked.emplace_back(reply.park(*room), room);
    }
    void handle(const In<Opcode::fsync>&, Out<Opcode::fsync>&) noexcept {} // says nothing

    template <class Lane> std::size_t answer_parked(Lane& lane) noexcept {
        if (!release_parked) return 0;
        std::size_t done = 0;
        for (auto& [request, room] : parked) {
            if (lane.template complete<Opcode::setlkw>(request, [](auto& reply) { reply.ok(); }) == Errc::ok) ++done;
            delete room;
        }
        parked.clear();
        return done;
    }
    void abandon_parked(std::uint16_t) noexcept {
        for (auto& [request, room] : parked) delete room;
        parked.clear();
        ++abandoned;
    }
};

static_assert(server::FileSystem<RecordingFileSystem>);

} // namespace vfsproto::test
