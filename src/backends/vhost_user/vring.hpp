// SPDX-License-Identifier: BSD-2-Clause
// One queue as the back end knows it: its eventfds, and the messages that start and stop it.
#pragma once

#include "connection.hpp"

#include "vfsproto/transport/transport.hpp"

#include <optional>

namespace vfsproto::backends::vhost_user {

// A ring's three areas in user addresses.
struct VringPlace {
    std::uint16_t size{};
    std::uint64_t descriptors{};
    std::uint64_t available{};
    std::uint64_t used{};
    std::uint32_t fresh_base{};         // of a ring that starts anew
    std::uint32_t largest_base{0xffff}; // that a back end may stop it with
};

// Places in a packed ring are 15-bit offsets with their wrap counters, which start at 1; the next available one stands in
// the low half of its base, the next used one in the high half (vhost-user, "Ring states").
inline constexpr std::uint32_t kPackedFreshBase = 0x8000'8000;

// A Vring keeps its address for the life of the attachment: a doorbell points to it.
class Vring {
public:
    explicit Vring(std::uint16_t index) noexcept : index_(index) {}
    Vring(const Vring&) = delete;
    Vring& operator=(const Vring&) = delete;

    // Makes the eventfds, which stay the same from then on: a back end may count hundreds of queues of which a driver
    // uses two. Errors: no_memory when the system has no descriptors left.
    [[nodiscard]] Errc open_events() noexcept;
    [[nodiscard]] bool has_events() const noexcept { return kick_ && call_ && err_; }
    [[nodiscard]] bool started() const noexcept { return started_; }

    // NUM, BASE, ADDR, ERR, CALL, KICK, in this order. The base is where stop() left it, or the fresh one.
    [[nodiscard]] Errc start(Connection& connection, const VringPlace& place) noexcept;
    [[nodiscard]] Errc enable(Connection& connection) noexcept;
    // Returns the ring's base, where the back end would have gone on, and keeps it for the next start().
    [[nodiscard]] Result<std::uint32_t> stop(Connection& connection) noexcept;
    void forget_base() noexcept { base_.reset(); }

    [[nodiscard]] Doorbell doorbell() noexcept;
    [[nodiscard]] WaitHandle wait_handle() const noexcept { return {call_.get()}; }
    [[nodiscard]] int error_event() const noexcept { return err_.get(); }
    [[nodiscard]] std::uint64_t doorbells() const noexcept;

private:
    [[nodiscard]] Errc tell_number(Connection& connection, Request request, std::uint32_t value) const noexcept;
    [[nodiscard]] Errc tell_event(Connection& connection, Request request, const FileDescriptor& event) const noexcept;

    // Read by every doorbell: first, together.
    FileDescriptor kick_;
    std::uint64_t rung_ = 0; // one writer: the queue's owner

    FileDescriptor call_;
    FileDescriptor err_;
    std::uint16_t index_;
    std::optional<std::uint32_t> base_;
    std::uint32_t largest_base_ = 0;
    bool started_ = false;
};

} // namespace vfsproto::backends::vhost_user
