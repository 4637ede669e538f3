// SPDX-License-Identifier: BSD-2-Clause
#include "connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vfsproto::backends::vhost_user {
namespace {

constexpr std::size_t kMaxFds = MemoryTableMessage::kMaxRegions;

// The descriptors of a message, in the form sendmsg(2) wants.
class FdCarrier {
public:
    FdCarrier(msghdr& message, std::span<const int> fds) noexcept {
        if (fds.empty()) return;
        message.msg_control = buffer_.data();
        message.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* const control = CMSG_FIRSTHDR(&message);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(control), fds.data(), fds.size_bytes());
    }

private:
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMaxFds * sizeof(int))> buffer_{};
};

std::string describe_error(int error) { return std::strerror(error); }

} // namespace

Connection::~Connection() {
    // shutdown(2) also ends duplicates of the socket, which others watch.
    if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
}

Errc Connection::tell(Request request, std::span<const std::byte> payload, std::span<const int> fds) noexcept {
    const bool acked = acks_ == Acks::on;
    const Errc sent = send(request, acked ? MessageHeader::kNeedReply : 0, payload, fds);
    if (sent != Errc::ok || !acked) return sent;
    std::uint64_t status = 0;
    const auto size = receive(request, std::as_writable_bytes(std::span(&status, 1)));
    if (!size) return size.error();
    if (*size != sizeof status) return fail_request(request, "an answer of the wrong size to ");
    return status == 0 ? Errc::ok : Errc::transport_failed;
}

Result<std::size_t> Connection::ask(Request request, std::span<const std::byte> payload,
                                    std::span<std::byte> reply) noexcept {
    if (const Errc why = send(request, 0, payload, {}); why != Errc::ok) return why;
    return receive(request, reply);
}

Result<std::uint64_t> Connection::ask_u64(Request request) noexcept {
    std::uint64_t value = 0;
    const auto size = ask(request, {}, std::as_writable_bytes(std::span(&value, 1)));
    if (!size) return size.error();
    if (*size != sizeof value) return fail_request(request, "an answer of the wrong size to ");
    return value;
}

Errc Connection::settle() noexcept {
    if (acks_ == Acks::on) return gone() ? Errc::device_gone : Errc::ok;
    // Requests are done in the order they came, so that the answer to any later one will do.
    const auto features = ask_u64(Request::get_features);
    return features ? Errc::ok : features.error();
}

Errc Connection::send(Request request, std::uint32_t flags, std::span<const std::byte> payload,
                      std::span<const int> fds) noexcept {
    if (gone()) return Errc::device_gone;
    VFSPROTO_ASSERT(fds.size() <= kMaxFds);
    MessageHeader header{static_cast<std::uint32_t>(request), MessageHeader::kVersion | flags,
                         static_cast<std::uint32_t>(payload.size())};
    std::array<iovec, 2> parts{iovec{&header, sizeof header},
                               iovec{const_cast<std::byte*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const FdCarrier carrier(message, fds);
    const Deadline until = deadline();
    std::size_t left = sizeof header + payload.size();
    while (true) {
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) {
            if (const Errc why = wait_for(request, POLLOUT, until); why != Errc::ok) return why;
            continue;
        }
        if (sent < 0) return closed(request, describe_error(errno).c_str());
        left -= static_cast<std::size_t>(sent);
        if (left == 0) return Errc::ok;
        // The descriptors went with the first byte.
        message.msg_control = nullptr;
        message.msg_controllen = 0;
        auto done = static_cast<std::size_t>(sent);
        for (iovec& part : parts) {
            const std::size_t step = done < part.iov_len ? done : part.iov_len;
            part.iov_base = static_cast<std::byte*>(part.iov_base) + step;
            part.iov_len -= step;
            done -= step;
        }
    }
}

Result<std::size_t> Connection::receive(Request request, std::span<std::byte> reply) noexcept {
    const Deadline until = deadline();
    MessageHeader header;
    if (const Errc why = receive_exactly(request, std::as_writable_bytes(std::span(&header, 1)), until);
        why != Errc::ok) {
        return why;
    }
    if (header.request != static_cast<std::uint32_t>(request)) {
        return fail_request(request, "an answer to request " + std::to_string(header.request) + " instead of ");
    }
    const bool flags_fit = (header.flags & MessageHeader::kVersionMask) == MessageHeader::kVersion &&
                           (header.flags & MessageHeader::kReply) != 0 &&
                           (header.flags & ~MessageHeader::kKnownFlags) == 0;
    if (!flags_fit) return fail_request(request, "wrong flags in the answer to ");
    if (header.size > reply.size()) return fail_request(request, "too long an answer to ");
    if (const Errc why = receive_exactly(request, reply.first(header.size), until); why != Errc::ok) return why;
    return std::size_t{header.size};
}

Errc Connection::receive_exactly(Request request, std::span<std::byte> out, Deadline until) noexcept {
    while (!out.empty()) {
        // Descriptors a back end may send along are dropped by the kernel: there is no control buffer for them.
        const ssize_t got = ::recv(socket_.get(), out.data(), out.size(), MSG_DONTWAIT);
        if (got > 0) {
            out = out.subspan(static_cast<std::size_t>(got));
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) {
            if (const Errc why = wait_for(request, POLLIN, until); why != Errc::ok) return why;
            continue;
        }
        return closed(request, "no answer");
    }
    return Errc::ok;
}

Errc Connection::wait_for(Request request, short events, Deadline until) noexcept {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd waiting{socket_.get(), events, 0};
        const int ready = left.count() > 0 ? ::poll(&waiting, 1, static_cast<int>(left.count())) : 0;
        if (ready > 0) return Errc::ok;
        if (ready < 0 && errno == EINTR) continue;
        return fail_request(request,
                            "nothing from the back end for " + std::to_string(reply_timeout_.count()) + " ms after ");
    }
}

Errc Connection::fail_request(Request request, const std::string& what) noexcept {
    // Another thread may have seen the end first; then this is only its consequence.
    const bool was_gone = gone();
    fail(what + to_string(request));
    return was_gone ? Errc::device_gone : Errc::transport_failed;
}

Errc Connection::closed(Request request, const char* how) noexcept {
    fail(std::string("the back end closed the connection at ") + to_string(request) + " (" + how + ")", Ended::by_peer);
    return Errc::device_gone;
}

void Connection::fail(std::string why, Ended ended) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (failure_.empty()) {
            failure_ = std::move(why);
            ended_ = ended;
        }
    }
    gone_.store(true, std::memory_order_release);
    ::shutdown(socket_.get(), SHUT_RDWR);
}

bool Connection::was_closed_by_peer() const noexcept {
    const std::lock_guard lock(mutex_);
    return ended_ == Ended::by_peer;
}

std::string Connection::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

} // namespace vfsproto::backends::vhost_user
