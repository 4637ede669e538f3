// SPDX-License-Identifier: BSD-2-Clause
// Operations over a lane whose server is the test: it sees one request after the other and says what each answers.
#pragma once

#include "lane_fixture.hpp"
#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::test {

struct OperationsFixture : LaneFixture {
    explicit OperationsFixture(QueueLimits limits = {.max_inflight = 64, .max_segments = 4}, std::size_t slots = 16,
                               client::LaneOptions lane_options = {})
        : LaneFixture(limits, slots, lane_options) {
        params.minor = wire::kMinor;
        params.flags = params.offered = all_flags();
        params.max_pages = 4;
        params.max_read = params.max_write = 4 * 4096;
        client = {&lane, &params, &sticky};
    }
    // The two left out change what other operations send: their own tests add them.
    static wire::InitFlags all_flags() {
        wire::InitFlags flags(~std::uint64_t{0});
        flags.remove(wire::InitFlag::security_ctx);
        flags.remove(wire::InitFlag::handle_killpriv_v2);
        return flags;
    }

    // The oldest request the server has not answered. Fails the test when there is none, or another operation's.
    const ScriptedQueue::Sent& next(wire::Opcode op) {
        kick();
        const auto visible = queue.visible();
        REQUIRE_FALSE(visible.empty());
        number = visible.front();
        CHECK(std::string(wire::op_info(static_cast<wire::Opcode>(queue.sent(number).header().opcode)).name) ==
              wire::op_info(op).name);
        return queue.sent(number);
    }
    // Answers what next() returned.
    template <class S> void answer(const S& out) { queue.reply(number, out), drain(); }
    void answer() { queue.reply(number), drain(); }
    void answer_data(const std::vector<std::byte>& data) {
        queue.reply_bytes(number, data.data(), data.size());
        drain();
    }
    void answer_error(abi::Errno error) { queue.reply_error(number, error), drain(); }
    void answer_malformed() { queue.complete(number, 3), drain(); }
    [[nodiscard]] bool silent() {
        kick();
        return queue.visible().empty();
    }

    client::SessionParams params{};
    client::StickyEnosys sticky;
    client::Client client{};
    std::size_t number = 0;
};

// An operation that counts how often it finished.
template <class Op> struct Counted {
    Counted() {
        op.user = this;
        op.on_finish = [](client::Operation& operation) noexcept { ++static_cast<Counted*>(operation.user)->finished; };
    }
    Op* operator->() { return &op; }
    Op op;
    int finished = 0;
};

inline wire::Attr file_attr(std::uint32_t mode = abi::kSIfreg | 0644) {
    wire::Attr attr{};
    attr.ino = 99;
    attr.mode = mode;
    attr.nlink = 1;
    attr.size = 5000;
    return attr;
}
inline wire::EntryOut entry(std::uint64_t nodeid, std::uint32_t mode = abi::kSIfreg | 0644) {
    wire::EntryOut out{};
    out.nodeid = nodeid;
    out.attr = file_attr(mode);
    return out;
}
inline wire::AttrOut attributes(const wire::Attr& attr = file_attr()) {
    wire::AttrOut out{};
    out.attr = attr;
    return out;
}

inline constexpr client::Caller kCaller{.uid = 1000, .gid = 100, .pid = 77};

} // namespace vfsproto::test
