// SPDX-License-Identifier: BSD-2-Clause
// What must hold for any bytes a server may send. Shared by the fuzz target and the unit tests.
#pragma once

#include "vfsproto/fuse/wire/codec.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"
#include "vfsproto/fuse/wire/notifications.hpp"

#include <algorithm>
#include <vector>

namespace vfsproto::fuzz {

template <class Reader, class NameOf> bool records_hold(Reader reader, std::size_t bytes, NameOf&& name_of) {
    std::size_t count = 0;
    while (reader.next()) {
        const wire::Name name = name_of(reader.entry());
        if (name.empty() || name.contains('/') || name.contains('\0')) return false;
        if (++count > bytes / sizeof(wire::Dirent)) return false;
    }
    return !reader.next();
}

template <class R> bool data_holds(std::span<const std::byte> data) {
    if constexpr (R::out_tail == wire::OutTail::dirents) {
        return records_hold(wire::DirentReader(data), data.size(), [](const auto& e) { return e.name; });
    } else if constexpr (R::out_tail == wire::OutTail::direntpluses) {
        return records_hold(wire::DirentplusReader(data), data.size(), [](const auto& e) { return e.dirent.name; });
    } else {
        return true;
    }
}

// Holds when the reply is refused, or is accepted and encoding its parts gives the same bytes again.
template <class R> bool reply_holds(std::span<const std::byte> bytes, wire::u32 asked) {
    if (bytes.size() < sizeof(wire::OutHeader)) return !wire::decode_whole_reply<R>(bytes, 0, asked);
    const auto unique = wire::get_struct<wire::OutHeader>(bytes.data()).unique;
    const auto reply = wire::decode_whole_reply<R>(bytes, unique, asked);
    if (!reply || R::traits.reply != wire::ReplyOwed::always) return true;
    std::vector<std::byte> again(bytes.size());
    auto written = Result<wire::u32>(Errc::bad_argument);
    if (reply->error != wire::Errno::none) {
        written = wire::encode_error(again, unique, reply->error);
    } else {
        if (!data_holds<R>(reply->data)) return false;
        const std::size_t fixed = bytes.size() - sizeof(wire::OutHeader) - reply->data.size();
        written = wire::encode_reply(again, wire::op_info(R::opcode), unique, wire::bytes_of(reply->out).first(fixed),
                                     reply->data);
    }
    return written && *written == bytes.size() && std::equal(again.begin(), again.end(), bytes.begin());
}

inline bool notification_holds(std::span<const std::byte> bytes) {
    const auto read = wire::decode_notification(bytes);
    if (!read || read->info == nullptr) return true;
    std::vector<std::byte> again(bytes.size());
    const auto fixed = bytes.subspan(sizeof(wire::OutHeader), read->info->size);
    const auto written = wire::encode_notification(again, read->info->code, fixed, read->name, read->data);
    return written && *written == bytes.size() && std::equal(again.begin(), again.end(), bytes.begin());
}

// Input: the row (one byte; beyond the table: a notification), what the request asked for (two bytes), one byte (bit 0:
// make the header's len right), then the message.
inline bool reply_input_holds(std::span<const std::byte> input) {
    if (input.size() < 4) return true;
    const auto row = static_cast<std::size_t>(input[0]);
    const auto asked = static_cast<wire::u32>(input[1]) | static_cast<wire::u32>(input[2]) << 8;
    std::vector<std::byte> message(input.begin() + 4, input.end());
    if ((static_cast<unsigned>(input[3]) & 1) != 0 && message.size() >= sizeof(wire::OutHeader)) {
        const auto len = static_cast<wire::u32>(message.size());
        wire::put_struct(message.data(), len);
    }
    if (row >= wire::OpTable::size) return notification_holds(message);
    bool holds = true;
    std::size_t at = 0;
    wire::for_each_row(wire::OpTable{}, [&]<class R>(R) {
        if (at++ == row) holds = reply_holds<R>(message, asked);
    });
    return holds;
}

} // namespace vfsproto::fuzz
