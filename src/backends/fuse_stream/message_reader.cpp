// SPDX-License-Identifier: BSD-2-Clause
#include "message_reader.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace vfsproto::backends::fuse_stream {

MessageReader::Received MessageReader::receive(int socket) noexcept {
    constexpr std::size_t kMost = 16;
    std::array<iovec, kMost> into;
    msghdr message{};
    message.msg_iov = into.data();
    const bool direct = left_ >= kDirect && begin_ == end_ && !room_.empty();
    if (direct) {
        std::size_t wanted = left_;
        for (const iovec& part : room_) {
            const std::size_t written = message.msg_iovlen == 0 ? room_at_ : 0;
            const std::size_t size = std::min(part.iov_len - written, wanted);
            if (size == 0) break;
            into[message.msg_iovlen++] = {static_cast<std::byte*>(part.iov_base) + written, size};
            wanted -= size;
        }
    } else {
        // At most the beginning of a header is left, which moves to the front.
        if (begin_ != 0) std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        into[0] = {buffer_.get() + end_, kBuffer - end_};
        message.msg_iovlen = 1;
    }
    // Descriptors that a peer sends along are closed by the kernel: there is no room for them.
    const ssize_t got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got == 0) return Received::end;
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::failed;
    if (direct) {
        step_over(static_cast<std::size_t>(got));
        left_ -= static_cast<std::uint32_t>(got);
    } else {
        end_ += static_cast<std::size_t>(got);
    }
    return Received::something;
}

bool MessageReader::peek(wire::OutHeader& header) const noexcept {
    if (end_ - begin_ < sizeof header) return false;
    std::memcpy(&header, buffer_.get() + begin_, sizeof header);
    return true;
}

void MessageReader::take(std::span<const iovec> room, std::uint32_t length) noexcept {
    room_ = room;
    room_at_ = 0;
    left_ = length;
    in_message_ = true;
}

bool MessageReader::advance() noexcept {
    while (left_ != 0 && begin_ != end_) {
        const std::size_t ready = std::min<std::size_t>(left_, end_ - begin_);
        const std::size_t moved = room_.empty() ? ready : write(buffer_.get() + begin_, ready);
        begin_ += moved;
        left_ -= static_cast<std::uint32_t>(moved);
    }
    if (left_ == 0) in_message_ = false;
    return left_ == 0;
}

// Writes as much as goes into one segment.
std::size_t MessageReader::write(const std::byte* from, std::size_t size) noexcept {
    const iovec& part = room_[0];
    size = std::min(size, part.iov_len - room_at_);
    std::memcpy(static_cast<std::byte*>(part.iov_base) + room_at_, from, size);
    step_over(size);
    return size;
}

void MessageReader::step_over(std::size_t size) noexcept {
    room_at_ += size;
    while (!room_.empty() && room_at_ >= room_[0].iov_len) {
        room_at_ -= room_[0].iov_len;
        room_ = room_.subspan(1);
    }
}

} // namespace vfsproto::backends::fuse_stream
