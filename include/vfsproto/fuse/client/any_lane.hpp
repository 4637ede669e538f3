// SPDX-License-Identifier: BSD-2-Clause
// A lane as operations see it: a way in for requests, whatever queue it runs on.
#pragma once

#include "vfsproto/fuse/client/request.hpp"

#include <cstdint>

namespace vfsproto::client {

// The base of every BasicLane. Operations are compiled once against it, while a host that knows its queue calls the lane
// itself, so that a READ's way from there into the ring is one piece of straight code.
class AnyLane {
public:
    AnyLane(const AnyLane&) = delete;
    AnyLane& operator=(const AnyLane&) = delete;

    // Starts a request, or lets it wait for a slot (BasicLane::enqueue()).
    void enqueue(Request& request) noexcept { enqueue_(*this, request); }

    // The most data one request can carry by way of the bounce area, in bytes, and can it as registered memory?
    [[nodiscard]] std::uint32_t max_bounced() const noexcept { return bounce_; }
    [[nodiscard]] bool can_pass_registered() const noexcept { return max_segments_ >= 3; }

protected:
    using Enqueue = void (*)(AnyLane&, Request&) noexcept;
    explicit AnyLane(Enqueue way_in) noexcept : enqueue_(way_in) {}
    ~AnyLane() = default;

    std::uint32_t bounce_ = 0;
    std::uint16_t max_segments_ = 0; // of one chain

private:
    Enqueue enqueue_;
};

} // namespace vfsproto::client
