// SPDX-License-Identifier: BSD-2-Clause
#include "chain.hpp"

#include "vfsproto/fuse/wire/structs.hpp"

#include <bit>
#include <cstring>

namespace vfsproto::backends::fuse_stream {

iovec host_of(const Segment& segment) noexcept {
    return {std::bit_cast<void*>(static_cast<std::uintptr_t>(to_number(segment.addr))), segment.len};
}

Errc Chain::fill(std::span<const Segment> from_client, std::span<const Segment> to_client) noexcept {
    if (from_client.empty() || from_client.size() + to_client.size() > kMaxSegments) return Errc::bad_argument;
    if (from_client[0].len < sizeof(wire::InHeader)) return Errc::bad_argument;
    wire::InHeader header;
    std::memcpy(&header, host_of(from_client[0]).iov_base, sizeof header);
    const std::uint64_t writable = total_length(to_client);
    if (header.len != total_length(from_client) || header.unique == 0 || writable > UINT32_MAX)
        return Errc::bad_argument;
    if (writable != 0 && writable < sizeof(wire::OutHeader)) return Errc::bad_argument;
    unique = header.unique;
    room = static_cast<std::uint32_t>(writable);
    readable_count = static_cast<std::uint8_t>(from_client.size());
    writable_count = static_cast<std::uint8_t>(to_client.size());
    iovec* at = segments.data();
    for (const auto& part : {from_client, to_client}) {
        for (const Segment& segment : part) {
            if (segment.len == 0) return Errc::bad_argument;
            *at++ = host_of(segment);
        }
    }
    return Errc::ok;
}

} // namespace vfsproto::backends::fuse_stream
