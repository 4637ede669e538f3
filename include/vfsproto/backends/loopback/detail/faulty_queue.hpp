// SPDX-License-Identifier: BSD-2-Clause
// A device queue that misbehaves as planned: it sits between a server lane and a sound queue, so that the lane and the
// file system behind it stay innocent.
#pragma once

#include "vfsproto/backends/loopback/fault_plan.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

namespace vfsproto::backends::loopback {

// A device queue that can be made to publish its last completion once more. False if it cannot now.
template <class Q>
concept RepeatingQueue = DeviceQueue<Q> && requires(Q& queue) {
    { queue.repeat_last() } noexcept -> std::same_as<bool>;
};

// A model of DeviceQueue over another. One owner at a time. FaultKind::duplicate needs a RepeatingQueue, and is nothing over others.
template <DeviceQueue Inner> class FaultyQueue {
public:
    // `size`: the most chains that can be out. The inner queue is not owned.
    FaultyQueue(Inner& inner, FaultPlan plan, std::size_t size)
        : inner_(inner), plan_(std::move(plan)), replies_(size), random_(plan_.seed * 2 + 1) {
        held_.reserve(size);
    }

    bool pop(Chain& chain) noexcept {
        if (!answers()) return false;
        if (!inner_.pop(chain)) return false;
        triggered_ = plan_.trigger != nullptr ? plan_.trigger->pass_request() : std::nullopt;
        if (comes_now(FaultKind::die, taken_ + 1)) state_ = State::dead;
        if (comes_now(FaultKind::reset, taken_ + 1)) {
            state_ = State::silent;
            held_.clear();
            delayed_.clear();
        }
        if (!answers()) return false;
        ++taken_;
        remember(chain);
        return true;
    }

    Errc push(const Chain& done, std::uint32_t written) noexcept {
        if (state_ == State::dead) return Errc::device_gone;
        if (state_ == State::silent) return Errc::ok;
        const std::uint64_t number = ++completed_;
        triggered_ = plan_.trigger != nullptr ? plan_.trigger->pass_completion() : std::nullopt;
        if (comes_now(FaultKind::drop, number)) return Errc::ok;
        written = disturb(done, written, number);
        if (comes_now(FaultKind::duplicate, number)) repeats_ = true;
        if (comes_now(FaultKind::delay, number)) {
            delayed_.push_back({done, written});
            return Errc::ok;
        }
        if (plan_.hold_back == 0) return inner_.push(done, written);
        held_.push_back({done, written});
        return held_.size() <= plan_.hold_back ? Errc::ok : release_one();
    }

    void publish() noexcept { inner_.publish(); }
    bool wants_notification() noexcept {
        const bool is_wanted = inner_.wants_notification();
        if constexpr (RepeatingQueue<Inner>) {
            if (repeats_ && inner_.repeat_last()) {
                repeats_ = false;
                return true;
            }
        }
        return is_wanted;
    }
    bool arm() noexcept {
        if (!answers()) return false; // what is left in the ring is nobody's
        const bool more = inner_.arm();
        if (!more && plan_.release == Release::when_idle) release_kept();
        return more;
    }
    void disarm() noexcept { inner_.disarm(); }
    Errc error() noexcept { return state_ == State::dead ? Errc::device_gone : inner_.error(); }

    // Lets every completion that is held back or delayed go, in an order of its own.
    void release_held() noexcept {
        held_.insert(held_.end(), delayed_.begin(), delayed_.end());
        delayed_.clear();
        release_kept();
    }
    // The queue was reset.
    void forget() noexcept {
        held_.clear();
        delayed_.clear();
        repeats_ = false;
        if (state_ == State::silent) state_ = State::sound;
    }

private:
    static constexpr std::size_t kHeaderSize = 16; // of a FUSE reply
    enum class State : std::uint8_t { sound, silent, dead };
    struct Held {
        Chain chain;
        std::uint32_t written;
    };
    // The writable part of a chain. Kept because the lane trims the chain's own segments while it writes the reply.
    struct ReplyPlace {
        std::vector<HostSegment> pieces{};
        std::uint64_t bytes = 0;
    };
    struct Header {
        std::uint32_t len;
        std::int32_t error;
        std::uint64_t unique;
    };
    static_assert(sizeof(Header) == kHeaderSize);

    [[nodiscard]] bool answers() const noexcept { return state_ == State::sound; }

    // True if this fault is planned for the request or completion of this number, or has just been triggered.
    [[nodiscard]] bool comes_now(FaultKind kind, std::uint64_t number) const noexcept {
        return triggered_ == kind || std::any_of(plan_.faults.begin(), plan_.faults.end(), [&](const Fault& fault) {
                   return fault.kind == kind && fault.at == number;
               });
    }

    void remember(const Chain& chain) noexcept {
        if (chain.head >= replies_.size()) return;
        ReplyPlace& place = replies_[chain.head];
        place.pieces.assign(chain.writable().begin(), chain.writable().end());
        place.bytes = total_length(chain.writable());
    }

    std::uint32_t disturb(const Chain& done, std::uint32_t written, std::uint64_t number) noexcept {
        if (done.head >= replies_.size()) return written;
        const ReplyPlace& place = replies_[done.head];
        if (comes_now(FaultKind::corrupt, number)) corrupt(place, written);
        if (comes_now(FaultKind::written_short, number) && written > 0) --written;
        if (comes_now(FaultKind::written_zero, number)) written = 0;
        if (comes_now(FaultKind::written_beyond, number)) written = static_cast<std::uint32_t>(place.bytes + 1);
        if (place.bytes < kHeaderSize) return written; // no reply fits
        Header header = load(place);
        if (comes_now(FaultKind::reply_length, number)) ++header.len;
        if (comes_now(FaultKind::reply_error, number)) header.error = 1 + static_cast<std::int32_t>(next() % 1000000);
        if (comes_now(FaultKind::reply_unique, number)) header.unique = ~header.unique & ~std::uint64_t{1};
        store(place, header);
        return written;
    }

    // Calls `take` with each byte of the first so many.
    template <class Take> static void each_byte(const ReplyPlace& place, std::size_t first, const Take& take) noexcept {
        std::size_t at = 0;
        for (const HostSegment& piece : place.pieces) {
            for (std::size_t i = 0; i < piece.len && at < first; ++i) take(at++, piece.data[i]);
        }
    }
    static Header load(const ReplyPlace& place) noexcept {
        std::array<std::byte, kHeaderSize> raw{};
        each_byte(place, kHeaderSize, [&](std::size_t at, const std::byte& byte) { raw[at] = byte; });
        Header header{};
        std::memcpy(&header, raw.data(), sizeof header);
        return header;
    }
    static void store(const ReplyPlace& place, const Header& header) noexcept {
        std::array<std::byte, kHeaderSize> raw{};
        std::memcpy(raw.data(), &header, sizeof header);
        each_byte(place, kHeaderSize, [&](std::size_t at, std::byte& byte) { byte = raw[at]; });
    }
    // Changes one byte in each so many, and one at least, where there is a body.
    void corrupt(const ReplyPlace& place, std::uint32_t written) noexcept {
        constexpr std::size_t kOneIn = 32;
        if (written <= kHeaderSize || place.bytes < written) return;
        const std::size_t sure = kHeaderSize + next() % (written - kHeaderSize);
        each_byte(place, written, [&](std::size_t at, std::byte& byte) {
            if (at < kHeaderSize || (at != sure && next() % kOneIn != 0)) return;
            byte ^= static_cast<std::byte>(1 + next() % 255);
        });
    }

    void release_kept() noexcept {
        while (!held_.empty() && release_one() == Errc::ok) {}
    }
    Errc release_one() noexcept {
        const std::size_t which = static_cast<std::size_t>(next() % held_.size());
        const Held held = held_[which];
        held_[which] = held_.back();
        held_.pop_back();
        return inner_.push(held.chain, held.written);
    }

    // xorshift64: never 0, as it is seeded with an odd number.
    std::uint64_t next() noexcept {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return random_;
    }

    Inner& inner_;
    FaultPlan plan_;
    std::vector<ReplyPlace> replies_; // by Chain::head
    std::vector<Held> held_;
    std::vector<Held> delayed_; // until they are asked for
    std::optional<FaultKind> triggered_{};
    std::uint64_t random_;
    std::uint64_t taken_ = 0;
    std::uint64_t completed_ = 0;
    State state_ = State::sound;
    bool repeats_ = false; // the last completion is to come once more
};

} // namespace vfsproto::backends::loopback
