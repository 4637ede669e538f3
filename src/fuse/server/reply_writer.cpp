// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/server/reply_writer.hpp"

#include "vfsproto/base/endian.hpp"
#include "vfsproto/base/peer_memory.hpp"

namespace vfsproto::server {

void ReplyWriter::take_scattered_header(std::span<HostSegment> writable) noexcept {
    std::uint32_t missing = sizeof(wire::OutHeader);
    std::size_t at = 0;
    while (missing > 0 && at < writable.size()) {
        HostSegment& segment = writable[at];
        if (segment.len == 0) {
            ++at;
            continue;
        }
        const std::uint32_t take = segment.len < missing ? segment.len : missing;
        header_[header_pieces_++] = {segment.data, take};
        missing -= take;
        segment.data += take;
        segment.len -= take;
        if (segment.len == 0) ++at;
    }
    if (missing > 0) {
        header_pieces_ = 0;
        return;
    }
    area_ = writable.subspan(at);
}

void ReplyWriter::error(abi::Errno why) noexcept {
    state_ = State::error;
    error_ = why == abi::Errno::none ? abi::Errno::eio : why;
}

void ReplyWriter::succeed_written(std::uint64_t bytes) noexcept {
    VFSPROTO_ASSERT(bytes <= capacity_);
    appended_ = bytes <= capacity_ ? bytes : capacity_;
    state_ = State::success;
}

ParkedRequest ReplyWriter::park(std::span<HostSegment> room) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < header_pieces_ && kept < room.size(); ++i) {
        room[kept++] = {header_[i].data, header_[i].len};
    }
    for (std::size_t i = 0; i < area_.size() && kept < room.size(); ++i) room[kept++] = area_[i];
    state_ = State::parked;
    ParkedRequest parked;
    parked.chain.storage = room.first(kept);
    parked.chain.head = identity_.head;
    parked.chain.writable_count = static_cast<std::uint16_t>(kept);
    parked.unique = identity_.unique;
    parked.opcode = static_cast<wire::Opcode>(identity_.opcode);
    parked.lane = identity_.lane;
    return parked;
}

bool ReplyWriter::append(const void* bytes, std::size_t size) noexcept {
    if (!fits(size)) return false;
    appended_ += size;
    detail::copy_in(area_, index_, offset_, bytes, size);
    return true;
}

ByteView ReplyWriter::data_area(std::uint64_t limit) noexcept {
    if (limit < capacity_) {
        std::uint64_t left = limit;
        std::size_t used = 0;
        while (left > 0) {
            HostSegment& segment = area_[used++];
            if (segment.len > left) segment.len = static_cast<std::uint32_t>(left);
            left -= segment.len;
        }
        area_ = area_.first(used);
        capacity_ = limit;
    }
    return {area_, capacity_};
}

std::uint32_t ReplyWriter::write_header(const wire::OutHeader& header) noexcept {
    std::byte bytes[sizeof(header)];
    __builtin_memcpy(bytes, &header, sizeof(header));
    std::size_t done = 0;
    for (std::size_t i = 0; i < header_pieces_; ++i) {
        copy_to_peer(header_[i].data, bytes + done, header_[i].len);
        done += header_[i].len;
    }
    return static_cast<std::uint32_t>(done);
}

std::uint32_t ReplyWriter::finish() noexcept {
    if (state_ == State::none || header_pieces_ == 0) return 0;
    wire::OutHeader header{sizeof(wire::OutHeader), 0, identity_.unique};
    // A reply is a u32 long; a driver that gives 4 GiB of room asked for at most its own u32 size field.
    if (state_ == State::success && appended_ <= UINT32_MAX - sizeof(wire::OutHeader)) {
        header.len += static_cast<std::uint32_t>(appended_);
    } else {
        header.error = -static_cast<std::int32_t>(error_);
    }
    if (header_pieces_ == 1) {
        copy_to_peer(header_[0].data, &header, sizeof(header));
    } else {
        static_cast<void>(write_header(header));
    }
    return header.len;
}

std::uint32_t ReplyWriter::finish_swapped() noexcept {
    wire::OutHeader header{};
    header.len = byte_swapped(std::uint32_t{sizeof(wire::OutHeader)});
    const auto error = static_cast<std::uint32_t>(-static_cast<std::int32_t>(abi::Errno::eproto));
    header.error = static_cast<std::int32_t>(byte_swapped(error));
    header.unique = identity_.unique; // the bytes as they came
    return write_header(header);
}

} // namespace vfsproto::server
