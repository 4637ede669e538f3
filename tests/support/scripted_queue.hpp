// SPDX-License-Identifier: BSD-2-Clause
// The driver seam without a ring or a device: a queue over ordinary memory whose other end is the test. It reads requests,
// writes replies and completes chains in any order, with whatever length it likes.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/base/region.hpp"
#include "vfsproto/fuse/wire/structs.hpp"
#include "vfsproto/virtqueue/queue_ref.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace vfsproto::test {

// Memory both sides reach. Every region is its own allocation, so that a sanitizer sees an overrun, and its device address
// is nothing like its host address.
class SharedMemory {
public:
    Region add(std::size_t size) {
        blocks_.push_back(std::make_unique<std::byte[]>(size));
        std::memset(blocks_.back().get(), 0xa5, size);
        const Region region(blocks_.back().get(), DeviceAddr{next_}, size);
        next_ += (size + 0xffff) & ~std::uint64_t{0xffff};
        if (table_.add(region) != Errc::ok) throw std::runtime_error("too many regions");
        return region;
    }
    [[nodiscard]] std::byte* translate(const Segment& segment) const {
        return table_.translate(segment.addr, segment.len);
    }

private:
    std::vector<std::unique_ptr<std::byte[]>> blocks_;
    RegionTable table_;
    std::uint64_t next_ = 0x4000'0000;
};

class ScriptedQueue {
public:
    using Bytes = std::vector<std::byte>;

    enum class State : std::uint8_t { submitted, visible, answered };
    struct Sent {
        Token token{};
        std::vector<Segment> readable;
        std::vector<Segment> writable;
        Bytes request; // the readable part as it was when it became visible
        std::uint32_t capacity = 0;
        State state = State::submitted;

        [[nodiscard]] wire::InHeader header() const { return as<wire::InHeader>(0); }
        // The fixed struct, or whatever else stands `at` bytes behind the header.
        template <class S> [[nodiscard]] S args(std::size_t at = 0) const { return as<S>(sizeof(wire::InHeader) + at); }
        [[nodiscard]] Bytes body(std::size_t from = 0) const {
            const std::size_t at = std::min(request.size(), sizeof(wire::InHeader) + from);
            return Bytes(request.begin() + static_cast<std::ptrdiff_t>(at), request.end());
        }

    private:
        template <class S> [[nodiscard]] S as(std::size_t at) const {
            if (request.size() < at + sizeof(S)) throw std::runtime_error("request too short");
            S value;
            std::memcpy(&value, request.data() + at, sizeof(S));
            return value;
        }
    };

    explicit ScriptedQueue(SharedMemory& memory, QueueLimits limits = {.max_inflight = 64, .max_segments = 64})
        : memory_(memory), limits_(limits) {}

    // The seam.
    QueueLimits limits() noexcept { return limits_; }
    Errc submit(std::span<const Segment> readable, std::span<const Segment> writable, Token token) noexcept {
        ++submits_;
        if (error_ != Errc::ok) return error_;
        if (refusals_ != 0) return --refusals_, refusal_;
        const std::size_t count = readable.size() + writable.size();
        if (count == 0 || count > limits_.max_segments) return blame("a chain of a wrong number of segments");
        if (in_flight_ == limits_.max_inflight) return Errc::queue_full;
        Sent sent;
        sent.token = token;
        sent.readable.assign(readable.begin(), readable.end());
        sent.writable.assign(writable.begin(), writable.end());
        for (const auto* list : {&sent.readable, &sent.writable}) {
            for (const Segment& segment : *list) {
                if (segment.len == 0 || memory_.translate(segment) == nullptr)
                    return blame("a segment outside the memory");
            }
        }
        sent.capacity = static_cast<std::uint32_t>(total_length(writable));
        sent_.push_back(std::move(sent));
        ++in_flight_;
        return Errc::ok;
    }
    void kick() noexcept {
        ++kicks_;
        for (Sent& sent : sent_) {
            if (sent.state != State::submitted) continue;
            sent.state = State::visible;
            for (const Segment& segment : sent.readable) {
                const std::byte* at = memory_.translate(segment);
                sent.request.insert(sent.request.end(), at, at + segment.len);
            }
        }
    }
    std::size_t poll(std::span<Completion> out) noexcept {
        std::size_t count = 0;
        while (error_ == Errc::ok && count < out.size() && !used_.empty()) {
            out[count++] = used_.front();
            used_.pop_front();
            if (in_flight_ != 0) --in_flight_; // a host's queue may hand back more than it was given
        }
        return count;
    }
    bool arm(std::uint16_t completions) noexcept {
        armed_.push_back(completions);
        return arm_answer_ || !used_.empty();
    }
    Errc error() noexcept { return error_; }
    std::size_t evacuate(std::span<Completion> out) noexcept {
        latch(Errc::device_gone);
        std::size_t count = 0;
        while (count < out.size() && !used_.empty()) {
            out[count++] = {used_.front().token, 0};
            used_.pop_front();
        }
        for (; count < out.size(); ++count) {
            Sent* sent = find_unanswered();
            if (sent == nullptr) break;
            sent->state = State::answered;
            out[count] = {sent->token, 0};
        }
        in_flight_ -= static_cast<std::uint16_t>(std::min<std::size_t>(count, in_flight_));
        evacuated_ += count;
        return count;
    }

    // The test's side. Chains are numbered as they were submitted.
    [[nodiscard]] std::size_t sent_count() const { return dropped_ + sent_.size(); }
    [[nodiscard]] const Sent& sent(std::size_t number) const { return sent_.at(number - dropped_); }
    [[nodiscard]] const Sent& last() const { return sent_.back(); }
    [[nodiscard]] std::vector<std::size_t> visible() const {
        std::vector<std::size_t> numbers;
        for (std::size_t i = 0; i < sent_.size(); ++i) {
            if (sent_[i].state == State::visible) numbers.push_back(dropped_ + i);
        }
        return numbers;
    }
    [[nodiscard]] std::uint16_t in_flight() const { return in_flight_; }
    [[nodiscard]] std::size_t kicks() const { return kicks_; }
    [[nodiscard]] std::size_t submits() const { return submits_; }
    [[nodiscard]] std::size_t evacuated() const { return evacuated_; }
    [[nodiscard]] const std::vector<std::uint16_t>& armed() const { return armed_; }
    // Returns what the driver did that no ring would take; empty when it behaved.
    [[nodiscard]] const std::string& blamed() const { return blamed_; }

    // The next `count` submissions are refused.
    void refuse(std::size_t count, Errc why = Errc::queue_full) { refusals_ = count, refusal_ = why; }
    void latch(Errc why) noexcept {
        if (error_ == Errc::ok) error_ = why;
    }
    void answer_arm(bool look_again) { arm_answer_ = look_again; }

    // Writes into the writable part, as a device may at any time before it completes the chain (and a broken one after).
    void write(std::size_t number, const void* from, std::size_t size, std::size_t offset = 0) {
        const auto* bytes = static_cast<const std::byte*>(from);
        for (const Segment& segment : sent(number).writable) {
            if (offset >= segment.len) {
                offset -= segment.len;
                continue;
            }
            const std::size_t part = std::min<std::size_t>(size, segment.len - offset);
            if (part != 0) std::memcpy(memory_.translate(segment) + offset, bytes, part);
            bytes += part;
            size -= part;
            offset = 0;
        }
        if (size != 0) throw std::runtime_error("the reply does not fit");
    }
    void complete(std::size_t number, std::uint32_t written) {
        Sent& sent = sent_.at(number - dropped_);
        if (sent.state != State::visible) throw std::runtime_error("a chain the device does not have");
        sent.state = State::answered;
        used_.push_back({sent.token, written});
    }
    // Hands back a token as no sound queue would.
    void complete_token(Token token, std::uint32_t written) { used_.push_back({token, written}); }

    // A good or bad reply whose header is in order.
    void reply_bytes(std::size_t number, const void* body, std::size_t size, std::int32_t error = 0) {
        const auto whole = static_cast<std::uint32_t>(sizeof(wire::OutHeader) + size);
        const wire::OutHeader header{whole, error, sent(number).header().unique};
        write(number, &header, sizeof(header));
        write(number, body, size, sizeof(header));
        complete(number, whole);
    }
    void reply(std::size_t number) { reply_bytes(number, nullptr, 0); }
    template <class S> void reply(std::size_t number, const S& out) {
        static_assert(std::is_trivially_copyable_v<S>);
        reply_bytes(number, &out, sizeof(out));
    }
    void reply_error(std::size_t number, abi::Errno error) {
        reply_bytes(number, nullptr, 0, -static_cast<std::int32_t>(error));
    }
    // Forgets the oldest chains that are over.
    void drop_answered() {
        while (!sent_.empty() && sent_.front().state == State::answered) {
            sent_.pop_front();
            ++dropped_;
        }
    }

private:
    Errc blame(const char* why) noexcept {
        blamed_ = why;
        return Errc::bad_argument;
    }
    Sent* find_unanswered() {
        for (Sent& sent : sent_) {
            if (sent.state != State::answered) return &sent;
        }
        return nullptr;
    }

    SharedMemory& memory_;
    QueueLimits limits_;
    std::deque<Sent> sent_;
    std::deque<Completion> used_;
    std::vector<std::uint16_t> armed_;
    std::string blamed_;
    std::size_t dropped_ = 0;
    std::size_t kicks_ = 0;
    std::size_t submits_ = 0;
    std::size_t evacuated_ = 0;
    std::size_t refusals_ = 0;
    Errc refusal_ = Errc::queue_full;
    Errc error_ = Errc::ok;
    std::uint16_t in_flight_ = 0;
    bool arm_answer_ = false;
};

static_assert(RequestQueue<ScriptedQueue>);

} // namespace vfsproto::test
