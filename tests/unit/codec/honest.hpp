// SPDX-License-Identifier: BSD-2-Clause
// Honest messages, of every row and as captured, as inputs of the fuzz targets `server`, `lane` and
// `notification`.
#pragma once

#include "client_side.hpp"
#include "row_sample.hpp"
#include "support/notification.hpp"

namespace vfsproto::test {

inline void put_word(Bytes& to, std::size_t value) {
    to.push_back(static_cast<std::byte>(value));
    to.push_back(static_cast<std::byte>(value >> 8));
}

// Requests as the client's lane writes them, of every row; then the captured ones.
inline std::vector<Bytes> honest_requests() {
    std::vector<Bytes> all;
    wire::for_each_row(wire::OpTable{}, [&]<class R>(R) {
        const RowSample<R> sample(3);
        ClientSide client;
        AnyRequest request(wire::op_info(R::opcode));
        request.nodeid = 1;
        const auto in = wire::bytes_of(sample.in);
        request.set_in(Bytes(in.begin(), in.end()));
        request.name = text_span(sample.first);
        request.name2 = text_span(sample.second);
        request.set_data(sample.data);
        request.ext = sample.extensions.data();
        request.ext_len = static_cast<std::uint16_t>(sample.extensions.size());
        all.push_back(client.send(request));
        client.lane.fail_all(Errc::device_gone);
    });
    for (const Golden& golden : all_golden()) all.push_back(golden.request);
    return all;
}

// An input of `server` that is one chain with room for a reply of 128 × 32 bytes.
inline Bytes server_input(const Bytes& request, unsigned choices = 1) {
    Bytes input{static_cast<std::byte>(choices)};
    put_word(input, request.size());
    input.push_back(std::byte{128});
    input.insert(input.end(), request.begin(), request.end());
    return input;
}

// An input of `lane`: a reply whose unique is made right, of as many bytes as are reported.
inline Bytes lane_input(const wire::OpInfo& op, std::uint32_t asked, const Bytes& reply, unsigned choices = 3) {
    Bytes input{static_cast<std::byte>(&op - wire::kOpInfo.data())};
    put_word(input, asked);
    input.push_back(static_cast<std::byte>(choices));
    put_word(input, reply.size());
    input.insert(input.end(), reply.begin(), reply.end());
    return input;
}

inline Bytes reply_of(const Bytes& body) {
    Bytes reply(sizeof(wire::OutHeader));
    wire::put_struct(reply.data(), wire::OutHeader{static_cast<std::uint32_t>(reply.size() + body.size()), 0, 0});
    reply.insert(reply.end(), body.begin(), body.end());
    return reply;
}

// Replies of every row and as captured, as inputs of `lane`.
inline std::vector<Bytes> honest_replies() {
    constexpr std::uint32_t kAsked = 4096;
    constexpr unsigned kSound = 3;
    constexpr unsigned kFast = kSound | 32;
    std::vector<Bytes> all;
    wire::for_each_row(wire::OpTable{}, [&]<class R>(R) {
        const RowSample<R> sample(3);
        const auto out = wire::bytes_of(sample.out);
        Bytes body;
        if (R::out_tail != wire::OutTail::size_or_data) body.assign(out.begin(), out.end());
        body.insert(body.end(), sample.reply_data.begin(), sample.reply_data.end());
        all.push_back(lane_input(wire::op_info(R::opcode), sample.asked, reply_of(body)));
    });
    for (const Golden& golden : all_golden()) {
        const auto& op = *wire::find_op(wire::get_struct<wire::InHeader>(golden.request.data()).opcode);
        const bool brings_data = op.out_tail != wire::OutTail::none;
        all.push_back(lane_input(op, brings_data ? kAsked : 0, golden.reply));
    }
    all.push_back(lane_input(wire::op_info(wire::Opcode::read), kAsked, reply_of(pattern(kAsked)), kFast));
    const wire::WriteOut taken{kAsked, 0};
    const auto bytes = wire::bytes_of(taken);
    const Bytes reply = reply_of(Bytes(bytes.begin(), bytes.end()));
    all.push_back(lane_input(wire::op_info(wire::Opcode::write), kAsked, reply, kFast));
    return all;
}

// Notifications of every code, each alone and all in a row, as inputs of `notification`.
inline std::vector<Bytes> honest_notifications() {
    constexpr unsigned kSound = 1;
    using wire::NotifyCode;
    const Bytes data(16);
    std::vector<Bytes> all;
    Bytes together;
    for (const Bytes& message :
         {inval_inode(1), inval_inode(3), inval_inode(99), inval_entry(1, "a"), inval_entry(2, "a"),
          inval_entry(99, "a"), deletion(1, 3, "b"), deletion(2, 99, "a"), inc_epoch(), prune({2, 3, 99}),
          retrieve(5, 2), notification(NotifyCode::store, wire::NotifyStoreOut{2, 0, 16, 0}, {}, data),
          notification(NotifyCode::poll, wire::NotifyPollWakeupOut{1}), notification(NotifyCode::resend, wire::None{}),
          framed(99, data), inval_entry_of_any_name(1, "a/b")}) {
        Bytes input{static_cast<std::byte>(kSound)};
        put_word(input, 0);
        put_word(input, message.size());
        input.insert(input.end(), message.begin(), message.end());
        together.insert(together.end(), input.begin(), input.end());
        all.push_back(std::move(input));
    }
    all.push_back(std::move(together));
    return all;
}

} // namespace vfsproto::test
