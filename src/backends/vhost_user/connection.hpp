// SPDX-License-Identifier: BSD-2-Clause
// The socket: requests with their descriptors out, bounded and checked replies in. The back end is not trusted: what
// does not fit the request ends the connection, because nothing after it could be told apart.
#pragma once

#include "message.hpp"

#include "vfsproto/backends/file_descriptor.hpp"
#include "vfsproto/base/errc.hpp"
#include "vfsproto/base/result.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <span>
#include <string>

namespace vfsproto::backends::vhost_user {

// One thread at a time makes requests; fail(), gone() and failure() are for any thread.
class Connection {
public:
    Connection(FileDescriptor socket, std::chrono::milliseconds reply_timeout) noexcept
        : socket_(std::move(socket)), reply_timeout_(reply_timeout) {}
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    enum class Acks { off, on };
    // From now on every request without a reply of its own asks for one (REPLY_ACK).
    void set_acks(Acks acks) noexcept { acks_ = acks; }
    [[nodiscard]] Acks acks() const noexcept { return acks_; }

    // A request without a reply of its own. Errors: transport_failed (also when the back end says no, which costs only
    // this request), device_gone.
    [[nodiscard]] Errc tell(Request request, std::span<const std::byte> payload,
                            std::span<const int> fds = {}) noexcept;
    template <class Payload> [[nodiscard]] Errc tell(Request request, const Payload& payload, int fd = -1) noexcept {
        return tell(request, std::as_bytes(std::span(&payload, 1)), {&fd, fd < 0 ? 0u : 1u});
    }

    // A request with a reply of its own, of at most reply.size() bytes. Returns how many came.
    [[nodiscard]] Result<std::size_t> ask(Request request, std::span<const std::byte> payload,
                                          std::span<std::byte> reply) noexcept;
    [[nodiscard]] Result<std::uint64_t> ask_u64(Request request) noexcept;

    // Returns when the back end has done all that was told before.
    [[nodiscard]] Errc settle() noexcept;

    enum class Ended : std::uint8_t { by_us, by_peer };
    // Ends the connection for good. Of several calls the first one says why, and who ended it.
    void fail(std::string why, Ended ended = Ended::by_us) noexcept;
    // True if the back end closed it first.
    [[nodiscard]] bool was_closed_by_peer() const noexcept;
    [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
    [[nodiscard]] std::string failure() const;
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    [[nodiscard]] Deadline deadline() const noexcept { return std::chrono::steady_clock::now() + reply_timeout_; }
    [[nodiscard]] Errc send(Request request, std::uint32_t flags, std::span<const std::byte> payload,
                            std::span<const int> fds) noexcept;
    [[nodiscard]] Result<std::size_t> receive(Request request, std::span<std::byte> reply) noexcept;
    [[nodiscard]] Errc receive_exactly(Request request, std::span<std::byte> out, Deadline until) noexcept;
    [[nodiscard]] Errc wait_for(Request request, short events, Deadline until) noexcept;
    Errc closed(Request request, const char* how) noexcept;
    Errc fail_request(Request request, const std::string& what) noexcept;

    FileDescriptor socket_;
    std::chrono::milliseconds reply_timeout_;
    Acks acks_ = Acks::off;
    std::atomic<bool> gone_{false};
    mutable std::mutex mutex_; // what follows
    std::string failure_;
    Ended ended_ = Ended::by_us; // also while it has not
};

} // namespace vfsproto::backends::vhost_user
