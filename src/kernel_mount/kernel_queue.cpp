// SPDX-License-Identifier: BSD-2-Clause
#include "kernel_queue.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vfsproto::kernel_mount {

namespace {

// Beside the data a request has its header, its struct, names and extensions, and a reply its header and its struct. The kernel wants
// room for a whole WRITE, and 8 KiB at least.
constexpr std::size_t kBesideData = 16u << 10;
constexpr std::uint64_t kInterruptBit = 1; // of a unique: FUSE_INT_REQ_BIT of Linux (fs/fuse/fuse_dev_i.h)

} // namespace

KernelQueue::KernelQueue(backends::FileDescriptor device, std::size_t payload)
    : device_(std::move(device)),
      request_(payload + kBesideData),
      reply_(payload + kBesideData),
      rooms_(std::make_unique<std::array<Room, kMostWaiting>>()) {}

KernelQueue::Took KernelQueue::wait() noexcept {
    taken_ = 0;
    const ssize_t got = ::read(device_.get(), request_.data(), request_.size());
    if (got >= static_cast<ssize_t>(sizeof(wire::InHeader))) {
        taken_ = static_cast<std::size_t>(got);
        return Took::request;
    }
    // ENOENT: the request was taken back. ENOMEM: the kernel may have memory again.
    const bool goes_on =
        got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT || errno == ENOMEM));
    return goes_on ? Took::nothing : Took::over;
}

std::uint16_t KernelQueue::find_room() const noexcept {
    std::uint16_t at = 0;
    while (at < kMostWaiting && (*rooms_)[at].is_out) ++at;
    return at;
}

bool KernelQueue::pop(Chain& chain) noexcept {
    if (taken_ == 0) return false;
    const auto length = static_cast<std::uint32_t>(std::exchange(taken_, 0));
    wire::InHeader header{};
    std::memcpy(&header, request_.data(), sizeof header);
    const wire::OpInfo* const op = wire::find_op(header.opcode);
    chain.head = kSoon;
    HostSegment reply{reply_.data(), static_cast<std::uint32_t>(reply_.size())};
    if (op != nullptr && op->traits.blocking == wire::Blocking::for_another) {
        chain.head = find_room();
        if (chain.head == kSoon) {
            refuse(header.unique);
            return false;
        }
        Room& room = (*rooms_)[chain.head];
        room.is_out = true;
        waiting_.fetch_add(1, std::memory_order_seq_cst);
        reply = {room.bytes.data(), kWaitingRoom};
    } else {
        is_soon_out_ = true;
    }
    chain.storage[0] = {request_.data(), length};
    chain.storage[1] = reply;
    chain.readable_count = chain.writable_count = chain.descriptors = 1;
    return true;
}

Errc KernelQueue::push(const Chain& done, std::uint32_t written) noexcept {
    if (done.head > kSoon) return Errc::bad_argument;
    const bool is_soon = done.head == kSoon;
    bool& is_out = is_soon ? is_soon_out_ : (*rooms_)[done.head].is_out;
    const std::size_t room = is_soon ? reply_.size() : kWaitingRoom;
    if (!std::exchange(is_out, false) || written > room) return Errc::bad_argument;
    if (!is_soon) waiting_.fetch_sub(1, std::memory_order_seq_cst);
    if (written != 0) write({is_soon ? reply_.data() : (*rooms_)[done.head].bytes.data(), written});
    return Errc::ok;
}

void KernelQueue::refuse(std::uint64_t unique) noexcept {
    const wire::OutHeader header{sizeof header, -static_cast<std::int32_t>(abi::Errno::enolck), unique};
    std::byte bytes[sizeof header];
    std::memcpy(bytes, &header, sizeof header);
    write(bytes);
}

// The kernel refuses a reply otherwise only when nobody waits for it any more (ENOENT, ENODEV): its connection has ended, and what
// the reply grants with it.
void KernelQueue::write(std::span<const std::byte> reply) noexcept {
    ssize_t wrote = 0;
    do wrote = ::write(device_.get(), reply.data(), reply.size());
    while (wrote < 0 && errno == EINTR);
    if (wrote >= 0 || errno != ENOENT || !elsewhere_) return;
    wire::OutHeader header{};
    std::memcpy(&header, reply.data(), sizeof header);
    if ((header.unique & kInterruptBit) != 0) elsewhere_(reply);
}

} // namespace vfsproto::kernel_mount
