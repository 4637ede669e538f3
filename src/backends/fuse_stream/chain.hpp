// SPDX-License-Identifier: BSD-2-Clause
// One request on its way to the server and back.
#pragma once

#include "vfsproto/base/errc.hpp"
#include "vfsproto/virtqueue/request_queue.hpp"

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vfsproto::backends::fuse_stream {

// Device addresses of a stream are host addresses: no device but this process touches the memory.
[[nodiscard]] iovec host_of(const Segment& segment) noexcept;

inline constexpr std::uint16_t kMaxSegments = 16; // of one chain, readable and writable together

// The memory of its segments is the lane's, which leaves it alone until the chain is completed or evacuated.
struct Chain {
    std::uint64_t unique = 0;
    Token token{};
    std::uint8_t queue = 0; // which one it belongs to
    std::uint8_t readable_count = 0;
    std::uint8_t writable_count = 0;
    enum class Stage : std::uint8_t { free, submitted, sending, sent } stage = Stage::free;
    std::uint32_t room = 0;                     // bytes of the writable segments
    std::array<iovec, kMaxSegments> segments{}; // readable, then writable
    Chain* next = nullptr;                      // in a ChainList
    Chain* next_of_bucket = nullptr;            // in a ChainTable

    // Takes over segments and header of a request. Errors: bad_argument, for what is no whole FUSE message.
    [[nodiscard]] Errc fill(std::span<const Segment> from_client, std::span<const Segment> to_client) noexcept;

    [[nodiscard]] std::span<const iovec> readable() const noexcept { return {segments.data(), readable_count}; }
    [[nodiscard]] std::span<const iovec> writable() const noexcept {
        return {segments.data() + readable_count, writable_count};
    }
};

// A line of chains, first in, first out. Does not own them.
class ChainList {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] Chain* first() const noexcept { return first_; }
    void push(Chain& chain) noexcept {
        chain.next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = &chain;
        last_ = &chain;
    }
    // The list is not empty.
    Chain& pop() noexcept {
        Chain& chain = *first_;
        first_ = chain.next;
        return chain;
    }
    // Adds all of another list, which is empty afterwards.
    void append(ChainList& others) noexcept {
        if (others.empty()) return;
        (first_ == nullptr ? first_ : last_->next) = others.first_;
        last_ = others.last_;
        others.first_ = nullptr;
    }
    void clear() noexcept { first_ = nullptr; }

private:
    Chain* first_ = nullptr;
    Chain* last_ = nullptr;
};

} // namespace vfsproto::backends::fuse_stream
