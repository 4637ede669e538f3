// SPDX-License-Identifier: BSD-2-Clause
// A session and, in the test's hands, everything around it: both queues, the server, the device.
#pragma once

#include "support/catch.hpp"
#include "support/scripted_queue.hpp"
#include "vfsproto/fuse/client/session.hpp"
#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"

#include <optional>
#include <vector>

namespace vfsproto::test {

using client::Session;
using client::SessionRequest;
using client::SessionState;
using Bytes = std::vector<std::byte>;

// The answer of a modern server that takes everything it knows.
inline wire::InitOut good_init_out() {
    wire::InitOut out{};
    out.major = wire::kMajor;
    out.minor = wire::kMinor;
    out.max_readahead = 1u << 20;
    out.flags = client::implemented_init_flags().low_word();
    out.max_write = 1u << 20;
    out.time_gran = 1;
    out.max_pages = 256;
    return out;
}

struct SessionScript {
    struct Message {
        SessionRequest request{};
        Bytes bytes;
        [[nodiscard]] wire::InHeader header() const { return wire::get_struct<wire::InHeader>(bytes.data()); }
        [[nodiscard]] wire::Opcode opcode() const { return static_cast<wire::Opcode>(header().opcode); }
    };

    explicit SessionScript(const client::SessionOptions& options = {}) {
        block = memory.add(Session::kMemoryBytes);
        REQUIRE(session.init(block, options) == Errc::ok);
    }

    // Returns what the session wants to send, without taking it.
    std::optional<Message> peek() {
        Message message;
        if (!session.peek_request(message.request)) return std::nullopt;
        const std::byte* at = memory.translate(message.request.readable);
        REQUIRE(at != nullptr);
        message.bytes.assign(at, at + message.request.readable.len);
        CHECK(message.header().len == message.bytes.size());
        return message;
    }
    // Puts it on its queue.
    std::optional<Message> take() {
        std::optional<Message> message = peek();
        if (message) session.handle_submitted(message->request.queue, message->request.token);
        return message;
    }
    void use(const Message& message, std::uint32_t written = 0) {
        session.handle_completion(message.request.queue, message.request.token, written);
    }
    // Writes these bytes as the reply; `unique` is set right unless the test sets its own.
    void reply(const Message& message, wire::OutHeader header, const void* body, std::size_t size,
               std::uint32_t written) {
        const Segment room = message.request.writable;
        REQUIRE(room.len >= sizeof(header) + size);
        std::byte* at = memory.translate(room);
        if (header.unique == 0) header.unique = message.header().unique;
        std::memcpy(at, &header, sizeof(header));
        if (size != 0) std::memcpy(at + sizeof(header), body, size);
        use(message, written);
    }
    void reply_init(const Message& message, const wire::InitOut& out, std::size_t size = sizeof(wire::InitOut)) {
        const auto whole = static_cast<std::uint32_t>(sizeof(wire::OutHeader) + size);
        reply(message, {whole, 0, 0}, &out, size, whole);
    }
    void reply_error(const Message& message, std::int32_t error) { reply(message, {16, error, 0}, nullptr, 0, 16); }

    Message open(const client::InitOptions& wish = {}) {
        REQUIRE(session.open(wish) == Errc::ok);
        const auto message = take();
        REQUIRE(message);
        REQUIRE(message->opcode() == wire::Opcode::init);
        return *message;
    }
    void make_ready(const client::InitOptions& wish = {}) {
        reply_init(open(wish), good_init_out());
        REQUIRE(session.state() == SessionState::ready);
    }
    // Returns what DESTROY was.
    Message make_destroy_sent() {
        REQUIRE(session.close() == Errc::ok);
        session.handle_lanes_idle();
        const auto message = take();
        REQUIRE(message);
        REQUIRE(message->opcode() == wire::Opcode::destroy);
        return *message;
    }
    std::size_t take_forgotten() {
        std::size_t count = 0;
        while (session.take_forgotten() != nullptr) ++count;
        return count;
    }

    SharedMemory memory;
    Region block;
    Session session;
};

} // namespace vfsproto::test
