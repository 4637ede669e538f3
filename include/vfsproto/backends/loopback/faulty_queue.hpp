// SPDX-License-Identifier: BSD-2-Clause
// A device queue that misbehaves as planned: it sits between a server lane and a sound queue, so that the lane and the
// file system behind it stay innocent.
#pragma once

#include "vfsproto/backends/loopback/fault_plan.hpp"
#include "vfsproto/virtqueue/device_queue.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace vfsproto::backends::loopback {

// A model of DeviceQueue over another. One owner at a time.
template <DeviceQueue Inner> class FaultyQueue {
public:
    // `size`: the most chains that can be out. The inner queue is not owned.
    FaultyQueue(Inner& inner, FaultPlan plan, std::size_t size)
        : inner_(inner), plan_(std::move(plan)), headers_(size), random_(plan_.seed * 2 + 1) {
        held_.reserve(size);
    }

    bool pop(Chain& chain) noexcept {
        if (dead_) return false;
        if (!inner_.pop(chain)) return false;
        if (planned(FaultKind::die, taken_ + 1)) {
            dead_ = true;
            return false;
        }
        ++taken_;
        remember(chain);
        return true;
    }

    Errc push(const Chain& done, std::uint32_t written) noexcept {
        if (dead_) return Errc::device_gone;
        const std::uint64_t number = ++completed_;
        if (planned(FaultKind::drop, number)) return Errc::ok;
        written = disturb(done, written, number);
        if (plan_.hold_back == 0) return inner_.push(done, written);
        held_.push_back({done, written});
        return held_.size() <= plan_.hold_back ? Errc::ok : release_one();
    }

    void publish() noexcept { inner_.publish(); }
    bool wants_notification() noexcept { return inner_.wants_notification(); }
    bool arm() noexcept {
        if (dead_) return false; // what is left in the ring is nobody's
        const bool more = inner_.arm();
        if (!more && plan_.release == Release::when_idle) release_held();
        return more;
    }
    void disarm() noexcept { inner_.disarm(); }
    Errc error() noexcept { return dead_ ? Errc::device_gone : inner_.error(); }

    // Lets every completion that is held back go, in an order of its own.
    void release_held() noexcept {
        while (!held_.empty() && release_one() == Errc::ok) {}
    }
    // The queue was reset.
    void forget() noexcept { held_.clear(); }

private:
    static constexpr std::size_t kHeaderSize = 16; // of a FUSE reply
    struct Held {
        Chain chain;
        std::uint32_t written;
    };
    // The pieces of a reply's header. Kept because the lane trims the chain's own segments while it writes the reply.
    struct HeaderPlace {
        std::array<HostSegment, kHeaderSize> pieces{};
        std::size_t count = 0;
        std::uint64_t writable = 0; // bytes of the whole chain
    };
    struct Header {
        std::uint32_t len;
        std::int32_t error;
        std::uint64_t unique;
    };
    static_assert(sizeof(Header) == kHeaderSize);

    [[nodiscard]] bool planned(FaultKind kind, std::uint64_t number) const noexcept {
        return std::any_of(plan_.faults.begin(), plan_.faults.end(),
                           [&](const Fault& fault) { return fault.kind == kind && fault.at == number; });
    }

    void remember(const Chain& chain) noexcept {
        if (chain.head >= headers_.size()) return;
        HeaderPlace& place = headers_[chain.head];
        place.count = 0;
        place.writable = total_length(chain.writable());
        std::size_t wanted = kHeaderSize;
        for (const HostSegment& segment : chain.writable()) {
            if (wanted == 0) break;
            const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(segment.len, wanted));
            place.pieces[place.count++] = {segment.data, size};
            wanted -= size;
        }
        if (wanted != 0) place.count = 0; // no reply fits
    }

    std::uint32_t disturb(const Chain& done, std::uint32_t written, std::uint64_t number) noexcept {
        if (done.head >= headers_.size()) return written;
        const HeaderPlace& place = headers_[done.head];
        if (planned(FaultKind::written_short, number) && written > 0) --written;
        if (planned(FaultKind::written_zero, number)) written = 0;
        if (planned(FaultKind::written_beyond, number)) written = static_cast<std::uint32_t>(place.writable + 1);
        if (place.count == 0) return written;
        Header header = load(place);
        if (planned(FaultKind::reply_length, number)) ++header.len;
        if (planned(FaultKind::reply_error, number)) header.error = 1 + static_cast<std::int32_t>(next() % 1000000);
        if (planned(FaultKind::reply_unique, number)) header.unique = ~header.unique & ~std::uint64_t{1};
        store(place, header);
        return written;
    }

    static Header load(const HeaderPlace& place) noexcept {
        std::array<std::byte, kHeaderSize> raw{};
        std::size_t at = 0;
        for (std::size_t i = 0; i < place.count; ++i) {
            std::memcpy(raw.data() + at, place.pieces[i].data, place.pieces[i].len);
            at += place.pieces[i].len;
        }
        Header header{};
        std::memcpy(&header, raw.data(), sizeof header);
        return header;
    }
    static void store(const HeaderPlace& place, const Header& header) noexcept {
        std::array<std::byte, kHeaderSize> raw{};
        std::memcpy(raw.data(), &header, sizeof header);
        std::size_t at = 0;
        for (std::size_t i = 0; i < place.count; ++i) {
            std::memcpy(place.pieces[i].data, raw.data() + at, place.pieces[i].len);
            at += place.pieces[i].len;
        }
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
    std::vector<HeaderPlace> headers_; // by Chain::head
    std::vector<Held> held_;
    std::uint64_t random_;
    std::uint64_t taken_ = 0;
    std::uint64_t completed_ = 0;
    bool dead_ = false;
};

} // namespace vfsproto::backends::loopback
