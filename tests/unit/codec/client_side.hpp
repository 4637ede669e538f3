// SPDX-License-Identifier: BSD-2-Clause
// The client's lane, for requests of any row made of bytes.
#pragma once

#include "support/golden_file.hpp"
#include "unit/client/lane_fixture.hpp"

#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"

#include <cstring>

namespace vfsproto::test {

// A request of a row that is known at run time, and what came of it.
struct AnyRequest : client::Request {
    explicit AnyRequest(const wire::OpInfo& row) {
        op = &row;
        out_bytes_room.resize(row.out_size);
        if (row.out_size != 0) out = out_bytes_room.data();
        owner = this;
        on_done = [](client::Request& request) noexcept { ++static_cast<AnyRequest*>(request.owner)->ended; };
    }
    void set_in(const Bytes& given) {
        in_bytes = given;
        in = in_bytes.data();
        in_size = static_cast<std::uint16_t>(in_bytes.size());
    }
    void set_data(const Bytes& given) {
        sent_data = given;
        data_in = {sent_data.data(), static_cast<std::uint32_t>(sent_data.size()), {}};
    }
    void ask(std::uint32_t count) {
        data_room.assign(count, std::byte{0xcc});
        data_out = {data_room.data(), count, {}};
    }
    // The body of the reply as the lane gave it: fixed struct, then data.
    [[nodiscard]] Bytes body() const {
        Bytes all(out_bytes_room.begin(), out_bytes_room.begin() + this->out_bytes);
        all.insert(all.end(), data_room.begin(), data_room.begin() + this->bytes);
        return all;
    }

    Bytes in_bytes;
    Bytes sent_data;
    Bytes out_bytes_room;
    Bytes data_room;
    int ended = 0;
};

struct ClientSide : LaneFixture {
    // Sends it. Returns the bytes that left.
    Bytes send(AnyRequest& request) {
        lane.enqueue(request);
        kick();
        if (request.ended != 0) throw std::runtime_error("the lane refused the request");
        return queue.last().request;
    }
    // The server's reply to the last request, `unique` apart, which is the lane's own; nothing when it is empty.
    void answer(Bytes reply) {
        const std::size_t number = queue.sent_count() - 1;
        if (reply.size() >= sizeof(wire::OutHeader)) {
            wire::put_struct(reply.data() + offsetof(wire::OutHeader, unique), queue.last().header().unique);
        }
        queue.write(number, reply.data(), reply.size());
        queue.complete(number, static_cast<std::uint32_t>(reply.size()));
        drain();
    }
};

inline Bytes with_unique(Bytes message, std::uint64_t unique) {
    static_assert(offsetof(wire::InHeader, unique) == offsetof(wire::OutHeader, unique));
    wire::put_struct(message.data() + offsetof(wire::InHeader, unique), unique);
    return message;
}

} // namespace vfsproto::test
