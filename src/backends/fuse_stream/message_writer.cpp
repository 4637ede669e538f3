// SPDX-License-Identifier: BSD-2-Clause
#include "message_writer.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace vfsproto::backends::fuse_stream {
namespace {

std::size_t length_of(const Chain& chain) noexcept {
    std::size_t length = 0;
    for (const iovec& part : chain.readable()) length += part.iov_len;
    return length;
}

} // namespace

MessageWriter::Sent MessageWriter::send(int socket, ChainList& done) noexcept {
    constexpr std::size_t kMost = 64; // segments of one call
    std::array<iovec, kMost> parts;
    while (!waiting_.empty()) {
        std::size_t count = 0;
        std::size_t over = written_; // bytes to be left out at the start
        for (const Chain* chain = waiting_.first(); chain != nullptr && count < kMost; chain = chain->next) {
            for (const iovec& part : chain->readable()) {
                if (over >= part.iov_len) {
                    over -= part.iov_len;
                } else if (count < kMost) {
                    parts[count++] = {static_cast<std::byte*>(part.iov_base) + over, part.iov_len - over};
                    over = 0;
                }
            }
        }
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = count;
        const ssize_t sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR ? Sent::some : Sent::failed;
        step_over(static_cast<std::size_t>(sent), done);
    }
    return Sent::all;
}

void MessageWriter::step_over(std::size_t size, ChainList& done) noexcept {
    written_ += size;
    while (!waiting_.empty()) {
        const std::size_t length = length_of(*waiting_.first());
        if (written_ < length) return;
        written_ -= length;
        Chain& chain = waiting_.pop();
        chain.stage = Chain::Stage::sent;
        done.push(chain);
    }
}

} // namespace vfsproto::backends::fuse_stream
