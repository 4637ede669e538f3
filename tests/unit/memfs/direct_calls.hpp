// SPDX-License-Identifier: BSD-2-Clause
// Asks a file system without rings in between.
#pragma once

#include "support/catch.hpp"
#include "vfsproto/abi/caller.hpp"
#include "vfsproto/backends/memfs.hpp"
#include "vfsproto/fuse/wire/detail/reply_check.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

using abi::Errno;
using backends::Memfs;
using wire::Opcode;
using wire::u32;
using wire::u64;
using Bytes = std::vector<std::byte>;

inline Bytes to_bytes(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}
inline std::string to_text(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

template <Opcode Op> struct Answered {
    Errno error{};
    wire::OutOf<Op> out{};
    Bytes data{};
    bool parked = false;
};

struct With {
    wire::Name name{};
    wire::Name second{};
    Bytes data{};
    std::size_t room = 1 << 16; // of the reply, beside its header
    abi::Caller caller{};
    std::uint16_t lane = 0;
    u64 unique = 2;
    Bytes* reply_memory = nullptr; // where a parked reply goes
};

// Reads a reply as its client would.
template <Opcode Op> Answered<Op> read_reply(const Bytes& bytes, u64 unique, std::size_t asked) {
    if (wire::op_info(Op).traits.reply == wire::ReplyOwed::never && bytes.empty()) return {};
    REQUIRE(bytes.size() >= sizeof(wire::OutHeader));
    const wire::OutHeader header = wire::read_out_header(bytes.data());
    const wire::ExpectedReply expected = wire::expected_reply(wire::op_info(Op), static_cast<wire::u32>(asked));
    REQUIRE(wire::check_reply(expected, unique, header, static_cast<wire::u32>(bytes.size())) == Errc::ok);
    Answered<Op> answered{.error = wire::errno_of(header)};
    if (answered.error != Errno::none) return answered;
    const std::span<const std::byte> body = std::span(bytes).subspan(sizeof(header));
    if (expected.fixed != 0) answered.out = wire::get_struct<wire::OutOf<Op>>(body.data());
    answered.data.assign(body.begin() + expected.fixed, body.end());
    return answered;
}

template <class In> std::size_t asked_by(const In& in) {
    if constexpr (requires { in.size; })
        return in.size;
    else
        return abi::kPathMax;
}

class Client {
public:
    explicit Client(Memfs& fs) : fs_(fs) {}

    template <Opcode Op> Answered<Op> call(u64 nodeid, const wire::InOf<Op>& in = {}, With with = {}) {
        wire::InHeader header{};
        header.opcode = static_cast<u32>(Op);
        header.unique = with.unique;
        header.nodeid = nodeid;
        header.uid = with.caller.uid;
        header.gid = with.caller.gid;
        header.pid = with.caller.pid;
        // Two pieces each, so that nothing depends on one segment.
        const auto half = static_cast<u32>(with.data.size() / 2);
        HostSegment data[2] = {{with.data.data(), half},
                               {with.data.data() + half, static_cast<u32>(with.data.size()) - half}};
        server::RequestOf<Op> request{header, session_, with.lane};
        request.in = in;
        request.name = with.name;
        request.second_name = with.second;
        request.data = {data, with.data.size()};

        Bytes own;
        Bytes& memory = with.reply_memory != nullptr ? *with.reply_memory : own;
        memory.assign(sizeof(wire::OutHeader) + with.room, std::byte{0xdd});
        const auto first = static_cast<u32>(memory.size() / 2);
        HostSegment room[2] = {{memory.data(), first},
                               {memory.data() + first, static_cast<u32>(memory.size()) - first}};
        server::ReplyWriter writer(room, {with.unique, static_cast<u32>(Op), 0, with.lane});
        server::ReplyTo<Op> reply(writer);
        fs_.handle(request, reply);
        if (writer.parked()) {
            Answered<Op> parked{};
            parked.parked = true;
            return parked;
        }
        const u32 written = writer.finish();
        Bytes bytes(memory.begin(), memory.begin() + written);
        return read_reply<Op>(bytes, with.unique, asked_by(in));
    }

    // The usual calls, which are expected to succeed.
    wire::EntryOut lookup(u64 parent, wire::Name name) {
        const auto answer = call<Opcode::lookup>(parent, {}, {.name = name});
        REQUIRE(answer.error == Errno::none);
        return answer.out;
    }
    u64 mkdir(u64 parent, wire::Name name) {
        const auto answer = call<Opcode::mkdir>(parent, {0755, 0}, {.name = name});
        REQUIRE(answer.error == Errno::none);
        return answer.out.nodeid;
    }
    wire::CreateOut create(u64 parent, wire::Name name, u32 flags = abi::kORdwr) {
        const auto answer = call<Opcode::create>(parent, {flags, 0644, 0, 0}, {.name = name});
        REQUIRE(answer.error == Errno::none);
        return answer.out;
    }
    u32 write(u64 nodeid, u64 fh, u64 offset, std::string_view text) {
        wire::WriteIn in{};
        in.fh = fh, in.offset = offset, in.size = static_cast<u32>(text.size());
        const auto answer = call<Opcode::write>(nodeid, in, {.data = to_bytes(text)});
        REQUIRE(answer.error == Errno::none);
        return answer.out.size;
    }
    std::string read(u64 nodeid, u64 fh, u64 offset, u32 size) {
        wire::ReadIn in{};
        in.fh = fh, in.offset = offset, in.size = size;
        const auto answer = call<Opcode::read>(nodeid, in, {.room = size});
        REQUIRE(answer.error == Errno::none);
        return to_text(answer.data);
    }
    wire::Attr attr(u64 nodeid) {
        const auto answer = call<Opcode::getattr>(nodeid);
        REQUIRE(answer.error == Errno::none);
        return answer.out.attr;
    }
    Errno release(u64 nodeid, u64 fh) { return call<Opcode::release>(nodeid, {fh, 0, 0, 0}).error; }
    void forget(u64 nodeid, u64 count) { call<Opcode::forget>(nodeid, {count}); }

    const server::ServerSession& session() const { return session_; }

private:
    Memfs& fs_;
    server::ServerSession session_{};
};

// The side of a ServerLane that answers what was parked.
struct LaneTwin {
    std::uint16_t number = 0;
    std::map<u64, u32> written{}; // by unique

    [[nodiscard]] std::uint16_t id() const noexcept { return number; }
    template <Opcode Op, class Fill> Errc complete(const server::ParkedRequest& parked, Fill&& fill) noexcept {
        if (parked.opcode != Op) return Errc::bad_argument;
        server::ReplyWriter writer(parked.chain.storage, {parked.unique, static_cast<u32>(Op), 0, number});
        server::ReplyTo<Op> reply(writer);
        fill(reply);
        written[parked.unique] = writer.finish();
        return Errc::ok;
    }
    Errc complete_error(const server::ParkedRequest& parked, Errno why) noexcept {
        server::ReplyWriter writer(parked.chain.storage, {parked.unique, static_cast<u32>(parked.opcode), 0, number});
        writer.error(why);
        written[parked.unique] = writer.finish();
        return Errc::ok;
    }
};
static_assert(server::ParksOn<Memfs, LaneTwin>);

} // namespace vfsproto::test
