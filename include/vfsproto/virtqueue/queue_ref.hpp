// SPDX-License-Identifier: BSD-2-Clause
// The driver seam as a C function table, and a two-pointer value that calls through it. The library compiles its lanes
// once against this type; a C kernel fills in the table itself.
#pragma once

#include "vfsproto/virtqueue/request_queue.hpp"

namespace vfsproto {

// The contract of RequestQueue, member for member. The layout is part of the C ABI.
struct QueueOps {
    QueueLimits (*limits)(void* self);
    Errc (*submit)(void* self, const Segment* readable, std::size_t readable_count, const Segment* writable,
                   std::size_t writable_count, Token token);
    void (*kick)(void* self);
    std::size_t (*poll)(void* self, Completion* out, std::size_t capacity);
    bool (*arm)(void* self, std::uint16_t completions);
    Errc (*error)(void* self);
    std::size_t (*evacuate)(void* self, Completion* out, std::size_t capacity);
};

// Calls a queue through its table. Does not own the queue.
//
// Example (tests/unit/virtqueue/ring_examples_test.cpp):
//
//     QueueRef queue = make_queue_ref(driver);
//     errc = queue.submit({&request, 1}, {&reply, 1}, Token{8});
//     queue.kick();
class QueueRef {
public:
    constexpr QueueRef() noexcept = default;
    constexpr QueueRef(void* self, const QueueOps& ops) noexcept : self_(self), ops_(&ops) {}

    [[nodiscard]] explicit operator bool() const noexcept { return ops_ != nullptr; }
    [[nodiscard]] QueueLimits limits() noexcept { return ops_->limits(self_); }
    [[nodiscard]] Errc submit(std::span<const Segment> readable, std::span<const Segment> writable,
                              Token token) noexcept {
        return ops_->submit(self_, readable.data(), readable.size(), writable.data(), writable.size(), token);
    }
    void kick() noexcept { ops_->kick(self_); }
    [[nodiscard]] std::size_t poll(std::span<Completion> out) noexcept {
        return ops_->poll(self_, out.data(), out.size());
    }
    [[nodiscard]] bool arm(std::uint16_t completions) noexcept { return ops_->arm(self_, completions); }
    [[nodiscard]] Errc error() noexcept { return ops_->error(self_); }
    [[nodiscard]] std::size_t evacuate(std::span<Completion> out) noexcept {
        return ops_->evacuate(self_, out.data(), out.size());
    }

private:
    void* self_ = nullptr;
    const QueueOps* ops_ = nullptr;
};

static_assert(RequestQueue<QueueRef>);

// Slow path of the table's submit(), for any number of segments. The table itself holds fast paths for the two shortest
// chains (a buffer to write to; a request and its reply), whose number of segments is known to the compiler. They save
// 21 of 171 instructions for a buffer of a packed ring, 50 of 206 of a split one.
template <RequestQueue Q> [[gnu::noinline, nodiscard]] Errc
submit_slow(Q& queue, std::span<const Segment> readable, std::span<const Segment> writable, Token token) noexcept {
    return queue.submit(readable, writable, token);
}

// The table for any C++ model of the seam.
template <RequestQueue Q> inline constexpr QueueOps queue_ops_for = {
    .limits = [](void* self) { return static_cast<Q*>(self)->limits(); },
    .submit =
        [](void* self, const Segment* readable, std::size_t readable_count, const Segment* writable,
           std::size_t writable_count, Token token) {
            Q& queue = *static_cast<Q*>(self);
            if (writable_count == 1 && readable_count == 0) return queue.submit({}, {writable, 1}, token);
            if (writable_count == 1 && readable_count == 1) return queue.submit({readable, 1}, {writable, 1}, token);
            return submit_slow(queue, {readable, readable_count}, {writable, writable_count}, token);
        },
    .kick = [](void* self) { static_cast<Q*>(self)->kick(); },
    .poll = [](void* self, Completion* out,
               std::size_t capacity) { return static_cast<Q*>(self)->poll({out, capacity}); },
    .arm = [](void* self, std::uint16_t completions) { return static_cast<Q*>(self)->arm(completions); },
    .error = [](void* self) { return static_cast<Q*>(self)->error(); },
    .evacuate = [](void* self, Completion* out,
                   std::size_t capacity) { return static_cast<Q*>(self)->evacuate({out, capacity}); },
};

template <RequestQueue Q> [[nodiscard]] constexpr QueueRef make_queue_ref(Q& queue) noexcept {
    return {&queue, queue_ops_for<Q>};
}

} // namespace vfsproto
