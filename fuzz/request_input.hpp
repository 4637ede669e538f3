// SPDX-License-Identifier: BSD-2-Clause
// What must hold for any bytes a driver may send. Shared by the fuzz target and the unit tests.
#pragma once

#include "vfsproto/fuse/wire/codec.hpp"
#include "vfsproto/fuse/wire/extensions.hpp"

#include <algorithm>
#include <vector>

namespace vfsproto::fuzz {

// Walks everything an accepted request carries; touches every byte, for the sanitizers to watch.
inline void walk_extensions(std::span<const std::byte> bytes) {
    wire::ExtensionReader reader(bytes);
    volatile unsigned sink = 0;
    while (reader.next()) {
        const wire::Extension& extension = reader.extension();
        if (extension.kind == wire::ExtensionKind::security_contexts) {
            wire::SecurityContextReader contexts(extension);
            while (contexts.next()) {
                for (const char c : contexts.context().name) sink = sink + static_cast<unsigned char>(c);
                for (const std::byte b : contexts.context().context) sink = sink + static_cast<unsigned>(b);
            }
        }
        for (wire::u32 i = 0; extension.kind == wire::ExtensionKind::groups && i < extension.count; ++i) {
            sink = sink + wire::group_at(extension, i);
        }
    }
}

// Input: one byte (bit 0: SETXATTR_EXT is negotiated; bit 1: make the header's len right), then the message.
// Holds when the message is refused, or is accepted and encoding its parts gives the same bytes again.
inline bool request_input_holds(std::span<const std::byte> input) {
    if (input.empty()) return true;
    const auto choice = static_cast<unsigned>(input[0]);
    const wire::InitFlags negotiated =
        (choice & 1) != 0 ? wire::InitFlags::of(wire::InitFlag::setxattr_ext) : wire::InitFlags{};
    std::vector<std::byte> message(input.begin() + 1, input.end());
    if ((choice & 2) != 0 && message.size() >= sizeof(wire::InHeader)) {
        const auto len = static_cast<wire::u32>(message.size());
        std::copy_n(std::as_bytes(std::span(&len, 1)).begin(), sizeof len, message.begin());
    }
    const auto header = wire::decode_in_header(message, message.size());
    if (!header) return true;
    const wire::OpInfo* op = wire::find_op(header->opcode);
    if (op == nullptr) return true;
    const auto parts = wire::decode_request(*op, *header, message, message.size(), negotiated);
    if (!parts) return parts.error() == Errc::protocol_violation;

    const std::span<const std::byte> whole(message);
    const auto extensions = whole.subspan(parts->extensions_at, parts->extensions_size);
    walk_extensions(extensions);
    if (parts->fixed_size != wire::fixed_in_size(*op, negotiated)) return true; // a short INIT: never sent by us
    std::vector<std::byte> again(message.size());
    const auto written =
        wire::encode_request(again, *op, *header, whole.subspan(sizeof(wire::InHeader), parts->fixed_size),
                             {.first = parts->first,
                              .second = parts->second,
                              .data = whole.subspan(parts->data_at, parts->data_size),
                              .extensions = extensions},
                             negotiated);
    return written && *written == message.size() && again == message;
}

} // namespace vfsproto::fuzz
